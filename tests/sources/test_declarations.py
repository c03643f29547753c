"""What a source may declare, and what becomes of one that cannot be used."""

import sys
from datetime import timedelta

import pytest
from orders import ORDERS

from lastmile.errors import UserError
from lastmile.sources import Bearer, CursorColumn, PageNumber, Rest, Schedule, Setting, Table
from lastmile.sources.declarations.source import Misdeclared
from lastmile.sources.declared import find_among
from lastmile.sources.loading import load_sources

SAID = {"name": "shop", "dataset": "orders", "description": "", "owner": "team:a", "url": "https://api.example.org"}
FILE = """
from lastmile.sources import Rest

source = Rest(name="{name}", dataset="{dataset}", description="", owner="team:a", url="{url}")
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"name": "Shop 1"}, "lower-case letters"),
        ({"url": "ftp://example.org"}, "expected an address of http"),
        ({"url": "https://user:secret@example.org"}, "has a password in it"),
        ({"attempts": 0}, "attempts is 0; expected 1 or more"),
        ({"requests_per_second": 0}, "must be more than 0"),
        ({"usual_factor": 1}, "expected more than 1"),
        ({"schedule": "0 3 * * *"}, "schedule is of type str; expected Schedule or None"),
        ({"timeout": 30}, "timeout is 30; expected timedelta"),
        ({"authentication": Bearer("secret")}, "authentication: token is of type str; expected Setting"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_with_what_to_do(said, reason):
    with pytest.raises(Misdeclared, match=reason):
        Rest(**{**SAID, **said})


def test_a_table_without_the_name_of_its_cursor_is_refused():
    said = {**SAID, "url": Setting("LASTMILE_SOURCE_SHOP_DATABASE"), "table": "orders"}
    with pytest.raises(Misdeclared, match="expected the name of a column as its cursor"):
        Table(**said, incremental=CursorColumn(""))
    with pytest.raises(Misdeclared, match=r"columns is of type str; expected a tuple of str, as in \(one, another\)"):
        Table(**said, columns="order_id")


def test_what_is_declared_is_said_in_a_few_words():
    source = Rest(**SAID)
    assert (source.kind, source.is_incremental, source.pages) == ("rest", False, None)
    assert Rest(**{**SAID, "pages": PageNumber(), "schedule": Schedule("* * * * *")}).stale_after == timedelta(days=2)


def test_an_address_may_differ_between_installations(monkeypatch):
    setting = Setting("LASTMILE_SOURCE_SHOP_URL", "https://api.example.org")
    assert setting.value({}) == "https://api.example.org"
    assert setting.value({setting.name: "http://127.0.0.1:1"}) == "http://127.0.0.1:1"
    with pytest.raises(UserError, match="LASTMILE_SOURCE_SHOP_TOKEN is not set"):
        Setting("LASTMILE_SOURCE_SHOP_TOKEN").value({})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A package of assets with a domain of sources; writes files into it."""
    folder = tmp_path / "shop_assets" / "shop" / "sources"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent, folder.parent.parent):
        (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (folder / f"{name}.py").write_text(text)

    yield write
    for name in [one for one in sys.modules if one.startswith("shop_assets")]:
        del sys.modules[name]


def test_a_source_that_cannot_be_used_costs_itself_alone_and_says_why(project):
    good = {"name": "shop", "dataset": "orders", "url": "https://a.example.org"}
    project("shop", FILE.format(**good))
    project("lost", FILE.format(**{**good, "name": "lost", "dataset": "nowhere"}))
    project("wrong", FILE.format(**{**good, "name": "wrong", "url": "a.example.org"}))
    project("broken", "import nothing_of_that_name")
    found = load_sources("shop_assets", {"orders": ORDERS})
    assert list(found) == ["shop"]
    said = {one.file.rpartition("/")[2]: one.why for one in found.broken}
    assert set(said) == {"broken.py", "lost.py", "wrong.py"}
    assert "dataset 'nowhere' has no contract; there are: orders" in said["lost.py"]
    with pytest.raises(UserError, match=r"source shop_assets/shop/sources/lost\.py is left out"):
        find_among("lost", found)


def test_a_source_without_a_contract_can_be_drafted_from(project):
    project("shop", FILE.format(name="shop", dataset="new", url="https://a.example.org"))
    assert list(load_sources("shop_assets", None)) == ["shop"]
