"""Contracts and partitions: what can be declared, and what is refused at once."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contract import Contract, Partition, load_contracts, number, text

YEARLY = Partition("year", start=date(2010, 1, 1))


def contract(**changes):
    parts = {
        "name": "visits",
        "description": "",
        "owner": "team:x",
        "partition": YEARLY,
        "columns": {"visit": text("id")},
    }
    return Contract(**{**parts, **changes})


def test_a_key_must_name_declared_columns():
    with pytest.raises(ValueError, match="key names \\['other'\\]"):
        contract(key=("other",))


def test_names_are_lower_case_so_that_sql_needs_no_quotes():
    with pytest.raises(ValueError, match="must be lower-case names"):
        contract(columns={"Visit": text("id")})


def test_the_version_changes_with_the_meaning_and_not_without():
    assert contract().version == contract().version
    assert contract(columns={"visit": text("id", required=True)}).version != contract().version
    assert (
        contract(columns={"visit": number("id", at_most=3)}).version
        != contract(columns={"visit": number("id")}).version
    )


def test_two_files_cannot_declare_the_same_dataset(tmp_path, monkeypatch):
    package = tmp_path / "twice"
    package.mkdir()
    source = "from assets.contracts.crop import contract\n"
    for name in ("__init__", "a", "b"):
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="already declared in another file"):
        load_contracts("twice")


def test_a_file_without_a_contract_is_told(tmp_path, monkeypatch):
    package = tmp_path / "nothing_declared"
    package.mkdir()
    for name in ("__init__", "a"):
        (package / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"nothing_declared\.a: expected a variable `contract`"):
        load_contracts("nothing_declared")


@given(st.dates(date(2010, 1, 1), date(2026, 1, 1)), st.sampled_from(["year", "month", "day"]))
def test_the_window_of_a_partition_holds_exactly_the_days_of_its_key(day, unit):
    partition = Partition(unit, start=date(2010, 1, 1))
    first, after = partition.window(partition.key_of(day))
    assert first <= day < after
    assert partition.key_of(first) == partition.key_of(day) != partition.key_of(after)


@given(st.text(max_size=12))
def test_a_text_is_either_a_partition_with_a_window_or_refused(text):
    try:
        first, after = YEARLY.window(text)
    except ValueError:
        return
    assert YEARLY.key_of(first) == text
    assert first < after


def test_keys_lists_every_partition_of_a_range():
    months = Partition("month", start=date(2010, 1, 1))
    assert months.keys("2011-11", "2012-02") == ["2011-11", "2011-12", "2012-01", "2012-02"]
