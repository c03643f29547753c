"""No setting is outside of the groups, the page lists all, and a misspelt one is named."""

import re

from checkout import PROJECT
from hypothesis import assume
from hypothesis import given as examples
from hypothesis import strategies as st

from lastmile.settings.all import PREFIX, all_faults, groups, known, unknown
from lastmile.settings.group import variables
from lastmile.settings.shown import page
from lastmile.settings.sources import PREFIX as OF_SOURCES

CODE = [*(PROJECT / "platform" / "lastmile").rglob("*.py"), *(PROJECT / "assets").rglob("*.py")]
#: Below the floor of the settings, for devices, or in what is no process of the platform.
OWN_READERS = {"project.py", "client/__main__.py"}


def test_a_variable_that_the_code_names_is_declared():
    named = {name for file in CODE for name in re.findall(r"LASTMILE_[A-Z_]*[A-Z]", file.read_text())}
    ours = {name.removesuffix("_FILE") for name in named if not f"{name}_".startswith(OF_SOURCES)}
    assert ours - known() == set()


def test_variables_of_sources_are_theirs_and_no_misspelt_ones_of_ours():
    assert unknown({"LASTMILE_SOURCE_SHOP_TOKEN": "x", "LASTMILE_SOURCE_SHOP_TOKEN_FILE": "y"}) == []
    assert len(unknown({"LASTMILE_SOURCES": "x"})) == 1


def test_no_code_but_the_settings_reads_one_from_the_environment():
    reading = re.compile(r"environ(?:\.get\(|\[)\s*[\"']LASTMILE_|getenv\([\"']LASTMILE_")
    found = {
        str(file.relative_to(PROJECT / "platform" / "lastmile"))
        for file in CODE
        if reading.search(file.read_text()) and "settings" not in file.parts
    }
    assert found - {"orchestration/runs/preload.py"} <= OWN_READERS


def test_each_variable_is_declared_once_with_a_sentence():
    declared = [one for group in groups() for one in variables(group)]
    assert len({one.name for one in declared}) == len(declared)
    assert [one.name for one in declared if not one.help.endswith(".")] == []
    assert [one.name for one in declared if not one.name.startswith(("LASTMILE_", "OTEL_"))] == []


def test_the_page_is_what_the_groups_say():
    written = (PROJECT / "docs" / "configuration.md").read_text().partition("<!-- lastmile config docs -->\n")[2]
    assert written == page(), "write the tables again with `lastmile config docs`"


def test_a_misspelt_variable_is_named_with_the_one_that_was_meant():
    found = unknown({"LASTMILE_STORE_ULR": "s3://b", "LASTMILE_SECRET_FLIE": "/x", "LASTMILE_ZZZ": "1", "OTHER": "1"})
    assert "LASTMILE_STORE_ULR is not known; did you mean LASTMILE_STORE_URL?" in found
    assert "LASTMILE_SECRET_FLIE is not known; did you mean LASTMILE_SECRET_FILE?" in found
    assert len(found) == 3


@examples(st.sampled_from(sorted(name for name in known() if name.startswith(PREFIX))), st.data())
def test_two_neighbouring_letters_swapped_are_seen_through(name, data):
    at = data.draw(st.integers(len("LASTMILE_"), len(name) - 2))
    misspelt = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    assume(misspelt not in known())
    assert unknown({misspelt: "x"}) == [f"{misspelt} is not known; did you mean {name}?"]


def test_swapped_letters_are_likelier_than_another_letter():
    (said,) = unknown({"LASTMILE_ALERTS_ALG_MINUTES": "5"})
    assert said.endswith("did you mean LASTMILE_ALERTS_LAG_MINUTES?")


def test_nothing_set_is_no_fault():
    assert all_faults({}) == []


def test_faults_of_all_groups_are_named_at_once():
    found = all_faults({"LASTMILE_PROFILE": "both", "LASTMILE_RATE_LIMIT": "often", "LASTMILE_SECRET": "short"})
    assert [said.partition(" ")[0] for said in found] == [
        "LASTMILE_PROFILE",
        "LASTMILE_SECRET",
        "LASTMILE_RATE_LIMIT",
    ]
