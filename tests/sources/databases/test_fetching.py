"""Tables and queries of real databases, whole and by a cursor."""

from collections import Counter
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from readings import VARIABLE, Origin, by_time, query, table

from lastmile.errors import Unreachable, UserError
from lastmile.sources import CursorColumn
from lastmile.sources.databases import fetching, postgres


def test_a_table_is_landed_and_ingested_whole_and_again_replaces_it(origin: Origin) -> None:
    origin.create(5)
    assert origin.run(table()).records == 5
    assert origin.ingest() == ["loaded"]
    origin.add(6)
    origin.does("DELETE FROM orders WHERE id = 1")
    origin.run(table())
    origin.ingest()
    assert origin.loaded() == Counter([2, 3, 4, 5, 6])
    row = origin.here.execute("SELECT at::text, amount FROM raw.orders WHERE id = 2").fetchone()
    assert row == ("2026-03-01 00:02:00+00", 2.5)


def test_an_empty_table_is_an_empty_drop(origin: Origin) -> None:
    origin.create(0)
    assert origin.run(table()).records == 0
    assert origin.ingest() == ["loaded"]
    assert origin.loaded() == Counter()


def test_columns_and_a_condition_can_be_chosen(origin: Origin) -> None:
    origin.create(5)
    assert origin.rows(table(columns=("id",), where="id > 3 -- the last")) == [{"id": 4}, {"id": 5}] or [
        {"id": "4"},
        {"id": "5"},
    ]
    with pytest.raises(UserError, match="refuses what is read"):
        origin.rows(table(columns=("nope",)))


def test_a_query_may_be_any_select(origin: Origin) -> None:
    origin.create(5)
    found = origin.rows(query("WITH paid AS (SELECT id, amount FROM orders) SELECT count(*) AS orders FROM paid;  "))
    assert [str(row["orders"]) for row in found] == ["5"]


@pytest.mark.parametrize("cursor", [by_time(), by_time(None), CursorColumn("id"), CursorColumn("id", overlap=3)])
def test_by_a_cursor_only_what_is_new_is_landed_and_nothing_twice(origin: Origin, cursor: CursorColumn) -> None:
    origin.create(30)
    assert origin.run(table(incremental=cursor)).records == 30
    origin.ingest()
    assert origin.run(table(incremental=cursor)).state == "nothing new"
    origin.add(*range(31, 41))
    ran = origin.run(table(incremental=cursor))
    assert (ran.records, origin.ingest()) == (10, ["loaded"])
    assert origin.loaded() == Counter(range(1, 41))


def test_what_is_late_comes_by_the_overlap(origin: Origin) -> None:
    origin.create(30)
    origin.run(table(incremental=by_time()))
    origin.ingest()
    origin.add(100, minute=25)
    origin.add(101, minute=5)  # later than the overlap goes back
    ran = origin.run(table(incremental=by_time()))
    assert ran.records == 1
    assert ran.events == ["11 rows came again and were landed before"]


def test_a_row_without_a_cursor_comes_once(origin: Origin) -> None:
    origin.create(3)
    origin.run(table(incremental=by_time()))
    origin.ingest()
    origin.add(50, 51, at="NULL")
    assert origin.run(table(incremental=by_time())).records == 2
    origin.ingest()
    assert origin.run(table(incremental=by_time())).state == "nothing new"
    assert origin.loaded() == Counter([1, 2, 3, 50, 51])


def test_a_changed_row_comes_again_as_it_is_now(origin: Origin) -> None:
    origin.create(3)
    origin.run(table(incremental=by_time()))
    origin.ingest()
    origin.does("UPDATE orders SET amount = 7, at = '2026-03-01 01:00:00' WHERE id = 1")
    assert origin.run(table(incremental=by_time())).records == 1
    origin.ingest()
    assert origin.loaded() == Counter([1, 1, 2, 3])


def test_a_cursor_that_goes_backwards_is_said_and_stays(origin: Origin) -> None:
    origin.create(30)
    origin.run(table(incremental=CursorColumn("id")))
    origin.ingest()
    origin.does("DELETE FROM orders WHERE id > 10")
    origin.add(11, minute=59)
    ran = origin.run(table(incremental=CursorColumn("id")))
    assert ran.state == "nothing new"
    assert ran.events[0].startswith("the largest 'id' is 11, before 30, up to which rows are loaded: rows were deleted")
    again = origin.run(table(incremental=CursorColumn("id")), since="11")
    assert (again.records, again.cursor_to) == (1, "30")
    origin.ingest()
    origin.add(31)
    assert origin.run(table(incremental=CursorColumn("id"))).cursor_to == "31"


def test_a_moment_in_the_future_does_not_move_the_cursor(origin: Origin) -> None:
    origin.create(3)
    origin.add(90, at="'2037-01-01 00:00:00'")
    first = origin.run(table(incremental=by_time()))
    assert first.records == 4
    assert str(first.cursor_to).startswith("2026-03-01 00:03:00")
    origin.ingest()
    origin.add(4)
    assert origin.run(table(incremental=by_time())).records == 1
    origin.ingest()
    assert origin.loaded() == Counter([1, 2, 3, 4, 90])


def test_a_cursor_is_a_column(origin: Origin) -> None:
    origin.create(3)
    with pytest.raises(UserError, match="its cursor 'nope' is no column; there are: id, at, amount"):
        origin.run(table(incremental=CursorColumn("nope")))


def test_a_dry_run_reads_no_more_rows_than_are_wanted(origin: Origin) -> None:
    origin.create(30)
    assert origin.fetch(table(), most=7).records == 7


def test_fewer_rows_than_the_database_counted_are_not_landed(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.create(3)
    monkeypatch.setattr(fetching, "_count", lambda *_: 4)
    with pytest.raises(UserError, match="counted 4 rows and sent 3; nothing is landed"):
        origin.run(table())
    assert origin.here.execute("SELECT count(*) FROM sources.fetches").fetchone() == (0,)


def test_what_changes_meanwhile_is_not_seen(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """All statements of a fetch see one moment: the largest cursor, the count, the rows."""
    origin.create(5)
    counted = fetching._count

    def changing(*arguments: Any) -> int | None:
        found = counted(*arguments)
        origin.add(6)
        origin.does("DELETE FROM orders WHERE id = 1", "UPDATE orders SET amount = 99")
        return found

    monkeypatch.setattr(fetching, "_count", changing)
    rows = origin.rows(table(incremental=by_time()))
    assert [str(row["id"]) for row in rows] == ["1", "2", "3", "4", "5"]
    assert {str(row["amount"]) for row in rows} == {"1.50", "2.50", "3.50", "4.50", "5.50"}


def test_a_database_that_is_away_is_said_without_its_password(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    scheme = os.environ[VARIABLE].partition(":")[0]
    monkeypatch.setenv(VARIABLE, f"{scheme}://shop:pass-word@127.0.0.1:1/shop")
    with pytest.raises(Unreachable, match=rf"{scheme}://127\.0\.0\.1:1/shop") as found:
        origin.run(table())
    assert "pass-word" not in str(found.value)


def test_a_wrong_password_is_said_without_it(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    from urllib.parse import urlsplit

    address = os.environ[VARIABLE]
    wrong = address.replace(str(urlsplit(address).password), "pass-word")
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(Unreachable, match=r"(?i)(access denied|password authentication failed)") as found:
        origin.run(table())
    assert "pass-word" not in str(found.value)


@pytest.mark.parametrize("rows", [60_000])
def test_memory_holds_batches(origin: Origin, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.create(0)
    series = (
        "SELECT seq, NULL, seq FROM seq_1_to_{0}"
        if "mysql" in type(origin.there).__module__
        else ("SELECT n, NULL, n FROM generate_series(1, {0}) n")
    )
    origin.does(f"INSERT INTO orders {series.format(rows)}")
    monkeypatch.setattr(postgres, "_BATCH_BYTES", 100_000)
    sizes: list[int] = []
    write = fetching._File.write
    monkeypatch.setattr(fetching._File, "write", lambda file, batch: (sizes.append(batch.num_rows), write(file, batch)))
    found = origin.fetch(table(columns=("id", "amount")))
    assert (found.records, pl.read_parquet(found.file)["id"].cast(pl.Int64).sum()) == (rows, rows * (rows + 1) // 2)
    assert len(sizes) > 1


def test_an_overlap_of_time_needs_a_cursor_of_time(origin: Origin) -> None:
    origin.create(3)
    source = table(incremental=CursorColumn("id", overlap=timedelta(minutes=1)))
    origin.run(source)
    origin.ingest()
    with pytest.raises(UserError, match="can have no overlap of a time"):
        origin.run(source)
