"""What becomes of columns and keys that are not as declared: nothing is lost, and no drop fails for it."""

import polars as pl
import pytest
from visits import VISITS

from lastmile.contracts import column
from lastmile.ingestion.schema_evolution import added_columns

pytestmark = pytest.mark.behaviour(number=21)


def bring(site, *lines, name="a.csv"):
    site.put(name, "\n".join(lines) + "\n")
    site.discover()
    (outcome,) = site.take()
    return outcome


def test_what_happened_to_the_header_is_in_the_ledger_by_kind(site):
    site.under(unknown_columns="add")
    bring(site, "DURATION,visit,persons,Mood,2nd mood", "2,v1,3,good,bad")
    assert site.drops()[0]["schema_change"] == {
        "added": ["Mood"],
        "rescued": ["2nd mood"],
        "missing": ["travel_hours", "outcome"],
        "renamed": {"DURATION": "hours"},
        "reordered": True,
    }


def test_a_column_of_a_name_that_postgres_keeps_for_itself_is_rescued(site):
    site.under(unknown_columns="add")
    assert bring(site, "visit,xmin,ymin", "v1,7,8").loaded == 1
    assert site.query("SELECT ymin, _rescued FROM raw.visits") == [{"ymin": "8", "_rescued": {"xmin": "7"}}]


def test_a_column_that_was_declared_with_another_type_once_is_rescued(site):
    columns = {name: spec for name, spec in VISITS.columns.items() if name != "travel_hours"}
    site.under(unknown_columns="add", columns=columns, checks=[])
    assert bring(site, "visit,travel_hours", "v1,many").loaded == 1
    assert site.query("SELECT travel_hours, _rescued FROM raw.visits") == [
        {"travel_hours": None, "_rescued": {"travel_hours": "many"}}
    ]


def test_a_table_grows_no_wider_than_a_row_can_be(site, monkeypatch):
    monkeypatch.setattr(added_columns, "WIDEST", 13)
    site.under(unknown_columns="add")
    bring(site, "visit,a,b,c,d", "v1,1,2,3,4")
    bring(site, "visit,d,c,b,a,e", "v2,4,3,2,1,5", name="b.csv")
    assert site.query("SELECT a, b, _rescued FROM raw.visits ORDER BY visit") == [
        {"a": "1", "b": "2", "_rescued": {"c": "3", "d": "4"}},
        {"a": "1", "b": "2", "_rescued": {"c": "3", "d": "4", "e": "5"}},
    ]


def test_a_key_too_long_for_an_index_sets_its_row_aside_and_the_others_are_loaded(site):
    outcome = bring(site, "visit,persons", f"{'v' * 3000},3", "v2,3", f"{'é' * 1000},3")
    assert (outcome.state, outcome.loaded, outcome.quarantined) == ("loaded", 2, 1)
    (reason,) = site.aside()[0]["reasons"]
    assert (reason["column"], reason["rule"]) == ("visit", "key_length")
    assert (
        "visit: expected a key (visit) of at most 2,000 bytes, which identify a row; found 'vvv" in (reason["message"])
    )


def test_a_key_of_many_columns_is_measured_as_a_whole(site):
    columns = {"visit": column(str, "Visit."), "village": column(str, "Village.")}
    site.under(columns={**VISITS.columns, **columns}, key=("village", "visit"))
    outcome = bring(site, "visit,village", f"{'v' * 1200},{'w' * 1200}", f"v2,{'w' * 1200}", "v3,w")
    assert (outcome.loaded, outcome.quarantined) == (2, 1)


def test_a_row_with_more_in_it_than_postgres_can_hold_refuses_the_drop_with_what_to_do(site):
    names = [f"n{place}" for place in range(700)]
    site.under(columns={**VISITS.columns, **{name: column(str, "A note.") for name in names}})
    outcome = bring(site, f"visit,{','.join(names)}", f"v1,{','.join(['twenty characters !!!'] * 700)}")
    assert outcome.state == "quarantined"
    message = site.drops()[0]["message"]
    assert "lines 2 to 2: expected rows that fit in a table of the warehouse; found one with too much in it" in message
    assert "Declare fewer columns in the contract" in message


def test_cleaned_files_from_before_and_after_a_change_are_read_together(site, tmp_path):
    bring(site, "visit,persons", "v1,3")
    site.under(
        columns={**VISITS.columns, "persons": column(float, "Persons, on average."), "mood": column(str, "Mood.")}
    )
    bring(site, "visit,persons,mood", "v2,2.5,good", name="b.csv")
    files = []
    for drop in site.drops():
        files.append(tmp_path / f"{drop['id']}.parquet")
        files[-1].write_bytes(site.store.read(drop["cleaned_key"]))
    casts = pl.ScanCastOptions(integer_cast="allow-float")
    newest_first = pl.scan_parquet(files[::-1], cast_options=casts, missing_columns="insert", extra_columns="ignore")
    assert newest_first.select("visit", "persons", "mood").collect().rows() == [("v2", 2.5, "good"), ("v1", 3.0, None)]


def test_a_large_first_drop_is_not_compared_row_by_row_with_itself(site):
    site.connection.execute("SET statement_timeout = '10s'")  # a second is enough; row by row takes a minute
    assert bring(site, "visit,persons", *(f"v{number},3" for number in range(30_000))).loaded == 30_000
