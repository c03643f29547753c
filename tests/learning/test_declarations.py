"""Declarations: found in their files, with a version of their code that follows what the code does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from declared import FILES, NAME, Package
from fields import FIELDS, YIELD

from lastmile.learning import Classification, Report
from lastmile.learning.declarations.loading import load_features, load_models, load_reports


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Write a file of the package."""
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(tmp_path)
    yield package.write
    package.forget()


def version() -> str:
    return load_models(NAME)["fields"].code_version


def test_a_declaration_is_found_by_its_file_alone(write) -> None:
    declared = load_features(NAME)["fields"]
    assert (declared.value, declared.domain, declared.file.name) == (FIELDS, "farm", "fields.py")
    assert load_reports(NAME) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("farm/models/fields.py", FILES["farm/models/fields.py"] + "LEAVES = 15\n"),
        ("farm/words.py", 'NAME = "another"\n'),
    ],
)
def test_the_code_version_changes_with_the_file_and_with_what_it_imports_of_the_package(write, name, text) -> None:
    before = version()
    write(name, text)
    assert version() != before


def test_comments_and_layout_change_no_code_version(write) -> None:
    before = version()
    text = FILES["farm/models/fields.py"].replace("# as it is", "# as it was")
    write("farm/models/fields.py", f"# A remark.\n\n\n{text}\n")
    assert version() == before


def test_a_file_of_another_domain_changes_no_code_version(write) -> None:
    before = version()
    write("shop/__init__.py", "")
    write("shop/words.py", "NAME = 1\n")
    assert version() == before


def test_a_file_without_its_declaration_is_refused_with_what_was_expected(write) -> None:
    write("farm/models/fields.py", "model = 3\n")
    models = load_models(NAME)
    assert models == {}
    (broken,) = models.broken
    assert re.search(r"models/fields\.py is left out: expected a variable `model` of type Model; found 3", str(broken))


def test_of_a_name_declared_twice_the_file_of_that_name_counts_and_the_other_is_named_with_it(write) -> None:
    write("farm/models/another.py", FILES["farm/models/fields.py"])
    models = load_models(NAME)
    assert models["fields"].file.name == "fields.py"
    (broken,) = models.broken
    assert re.search(r"another\.py is left out: Model 'fields' is declared in .*fields\.py already", str(broken))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "soil"}, "target 'soil' is none of fields's targets"),
        ({"task": Classification(("a",), question="bad", positive=("z",))}, r"positive levels \['z'\] are not among"),
        ({"task": Classification(("a",), question="bad")}, "a question needs positive levels"),
    ],
)
def test_a_model_that_cannot_work_is_refused(changes, said) -> None:
    with pytest.raises(ValueError, match=said):
        replace(YIELD, **changes)


def test_a_report_follows_one_of_its_sources() -> None:
    with pytest.raises(ValueError, match="follows 'models/a'"):
        Report("r", "", "team:x", "r.html", sources=("models/b",), follows="models/a", contents=lambda _: {})
