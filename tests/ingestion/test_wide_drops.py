"""Survey exports of thousands of columns, nearly all of them undeclared: loaded by default, and told where there is an
end."""

import gzip
import io
import json
from collections.abc import Callable, Mapping

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declaring import dataset
from visits import VISITS
from workbooks import workbook

from lastmile.contracts import column
from lastmile.contracts.contract import Misdeclared
from lastmile.contracts.declaration import MOST_COLUMNS
from lastmile.errors import UserError
from lastmile.ingestion.batch import RawBatch
from lastmile.ingestion.schema_evolution import added_columns
from lastmile.ingestion.validation import Plan
from lastmile.warehouse.provenance import PROVENANCE
from lastmile.warehouse.tables import ensure_table

WIDE = 3_000
NAMES = ["visit", "persons", *(f"q{number}" for number in range(WIDE - 2))]


def answers(row: int) -> dict[str, str]:
    """A row whose every third answer is blank."""
    asked = {name: "" if number % 3 == 1 else f"{name} of {row}, öö" for number, name in enumerate(NAMES[2:])}
    return {"visit": f"v{row}", "persons": "3"} | asked


ROWS = [answers(row) for row in range(5)]


def as_csv(rows: list[dict[str, str]]) -> bytes:
    return pl.DataFrame(rows).write_csv().encode()


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


WRITTEN: Mapping[str, Callable[[list[dict[str, str]]], bytes]] = {
    "a.csv": as_csv,
    "a.csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "a.jsonl": lambda rows: "\n".join(map(json.dumps, rows)).encode(),
    "a.json": lambda rows: json.dumps(rows).encode(),
    "a.xlsx": lambda rows: workbook({"Answers": [NAMES, *(list(row.values()) for row in rows)]}),
    "a.parquet": as_parquet,
}


@pytest.mark.behaviour(number=21)
@pytest.mark.parametrize("name", WRITTEN)
def test_three_thousand_columns_load_and_the_undeclared_ones_are_rescued(site, name):
    site.put(name, WRITTEN[name](ROWS))
    site.discover()
    (outcome,) = site.take()
    assert (outcome.message, outcome.state, outcome.loaded) == (None, "loaded", 5)
    found = site.query("SELECT visit, persons, _rescued FROM raw.visits ORDER BY visit")
    assert [row["visit"] for row in found] == ["v0", "v1", "v2", "v3", "v4"]
    for row, given in zip(found, ROWS, strict=True):
        assert row["persons"] == 3
        assert row["_rescued"] == {header: text for header, text in given.items() if text and header[0] == "q"}
    assert site.drops()[0]["schema_change"]["rescued"] == NAMES[2:]


@pytest.mark.behaviour(number=32)
def test_more_than_five_thousand_columns_are_refused_and_five_thousand_are_not(site):
    names = ["visit", *(f"q{number}" for number in range(5_000))]
    site.put("a.csv", f"{','.join(names)}\n{','.join(['v1', *'x' * 5_000])}\n")
    site.put("b.csv", f"{','.join(names[:-1])}\n{','.join(['v2', *'x' * 4_999])}\n")
    site.discover()
    refused, loaded = site.take()
    assert refused.state == "quarantined"
    assert "expected at most 5,000 columns, found 5,001" in refused.message
    assert loaded.loaded == 1


def test_a_bad_row_among_thousands_of_columns_is_quarantined_with_the_column_at_fault(site):
    rows = [answers(row) for row in range(4)]
    rows[1]["q2997"] = "NUL \0 in the last"
    site.under(max_bad_share=1.0).put("a.csv", as_csv(rows))
    site.discover()
    (outcome,) = site.take()
    assert (outcome.loaded, outcome.quarantined) == (3, 1)
    (row,) = site.aside()
    assert [(reason["column"], reason["rule"]) for reason in row["reasons"]] == [("q2997", "nul")]


def test_a_contract_of_more_columns_than_a_table_has_is_refused_when_declared(site):
    def of(width: int):
        names = ["visit", *(f"q{number}" for number in range(1, width))]
        return dataset({name: column(str, "Answer.") for name in names}, name="wide")

    with pytest.raises(Misdeclared, match=r"declares 2,500 columns; a table of Postgres .* at most 1,590: .*_rescued"):
        of(2_500)
    with pytest.raises(Misdeclared):
        of(MOST_COLUMNS + 1)
    widest = of(MOST_COLUMNS)
    ensure_table(site.connection, widest)
    assert len(PROVENANCE) + MOST_COLUMNS <= 1_600


def test_a_table_that_can_have_no_more_columns_says_so_and_what_to_do(site):
    def asking(first: int):
        names = [f"q{number}" for number in range(first, first + 1_000)]
        return dataset({name: column(str, "Answer.") for name in names}, name="wide")

    ensure_table(site.connection, asking(0))
    with pytest.raises(UserError, match=r"raw.wide .* 1,000 .*no longer declared.*at most 1,600 columns"):
        ensure_table(site.connection, asking(1_000))


@pytest.mark.behaviour(number=21)
def test_new_columns_for_which_the_table_has_no_room_are_rescued_and_the_drop_says_so(site, monkeypatch):
    monkeypatch.setattr(added_columns, "MAX_TABLE_COLUMNS", 13)
    site.under(unknown_columns="add").put("a.csv", "visit,a,b,c,2nd,d\nv1,1,2,3,4,5\n")
    site.discover()
    (outcome,) = site.take()
    assert site.query("SELECT a, b, _rescued FROM raw.visits") == [
        {"a": "1", "b": "2", "_rescued": {"c": "3", "2nd": "4", "d": "5"}}
    ]
    assert "2 new columns, ['c', 'd'], are kept in _rescued" in outcome.message
    assert "13 columns" in outcome.message


def test_the_work_of_validation_grows_with_the_declared_columns_only(monkeypatch):
    """Expressions are what a column costs: thousands of undeclared ones need as many as a few."""

    def expressions(unknown: int) -> int:
        made = 0
        whole = pl.col.__class__.__call__

        def count(*args, **more):
            nonlocal made
            made += 1
            return whole(*args, **more)

        header = ["visit", "persons", *(f"q{number}" for number in range(unknown))]
        frame = pl.DataFrame({name: ["1"] * 3 for name in header})
        with monkeypatch.context() as patch:
            patch.setattr(type(pl.col), "__call__", count)
            Plan(VISITS, header).validate(RawBatch(frame, pl.Series([2, 3, 4]), lambda _: []))
        return made

    assert expressions(2_000) == expressions(20) > 0
