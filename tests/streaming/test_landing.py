"""Events become drops of their dataset: each once, in the partition of its own time, judged by the intake."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import polars as pl
import psycopg
import pytest
from declaring import changed
from streamed import SALES, Shop, sale

from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.streaming.consumer.batch import Assignment
from lastmile.streaming.consumer.positions import Claimed, Fenced, claim
from lastmile.streaming.landing import gathering
from lastmile.streaming.landing.gathering import Gathering
from lastmile.streaming.landing.segments import Segment, Segments


def ingest(shop: Shop) -> list:
    with psycopg.connect(shop.database_url, autocommit=True) as connection:
        discover(connection, shop.store, {"sales": shop.contract})
        days = [row["partition"] for row in shop.rows("SELECT DISTINCT partition FROM ledger.drops")]
        return ingest_pending(connection, shop.store, shop.contract, days, "run")


def landed(shop: Shop) -> dict[str, pl.DataFrame]:
    return {one.key: pl.read_parquet(BytesIO(shop.store.read(one.key))) for one in shop.store.list("landing/sales/")}


@pytest.fixture
def landing(shop: Shop) -> Shop:
    """The stream, whose events land."""
    shop.stream = replace(shop.stream, lands=True)
    shop.contract = changed(SALES, quiet_period=timedelta(0))
    return shop


def test_the_rows_that_are_loaded_are_those_in_the_windows(landing: Shop) -> None:
    events = [sale(number, number) for number in range(300)]
    bad = [sale(1, 300, cents=-5), sale(2, 300, shop="east"), sale(3, 300, note="a\0b")]
    landing.send(*events[:150], b"{", *bad, *events[150:])
    assert landing.read() == 300
    (outcome,) = ingest(landing)
    assert (outcome.state, outcome.read, outcome.loaded) == ("loaded", 303, 300)
    by_sql = landing.rows(
        "SELECT shop, date_trunc('minute', at) AS window_start, count(*) AS sales, sum(cents) AS cents FROM raw.sales"
        " GROUP BY 1, 2 ORDER BY 2, 1"
    )
    by_stream = landing.rows("SELECT shop, window_start, sales, cents FROM windows.sales_by_minute ORDER BY 2, 1")
    assert by_stream == by_sql
    rules = landing.rows("SELECT reasons -> 0 ->> 'rule' AS rule FROM quarantine.rows ORDER BY line")
    assert [row["rule"] for row in rules] == ["at_least", "allowed", "nul"]
    assert [row["rule"] for row in landing.quarantined()] == ["message"]


def test_each_row_knows_its_place_in_the_topic(landing: Shop) -> None:
    landing.send(b"{", *(sale(number, number) for number in range(3)))
    landing.read()
    ingest(landing)
    found = landing.rows("SELECT _rescued, sale FROM raw.sales ORDER BY sale")
    assert [row["_rescued"] for row in found] == [
        {"_topic": landing.topic, "_partition": "0", "_offset": str(offset)} for offset in (1, 2, 3)
    ]


def test_events_lie_in_the_partition_of_their_own_time(landing: Shop) -> None:
    day = 86_400
    landing.send(sale(1), sale(2, day), sale(3, 2 * day), sale(4, 2 * day))
    landing.read(lateness=timedelta(days=9))
    found = {key.split("/")[2]: frame["sale"].to_list() for key, frame in landed(landing).items()}
    assert found == {"2026-03-01": ["s000001"], "2026-03-02": ["s000002"], "2026-03-03": ["s000003", "s000004"]}


def test_an_event_of_no_partition_lies_in_that_of_the_day(landing: Shop) -> None:
    landing.send(sale(1) | {"at": "yesterday"}, sale(2) | {"at": "1999-01-01T00:00:00Z"})
    landing.read()
    (key,) = landed(landing)
    assert key.split("/")[2] == datetime.now(UTC).date().isoformat()
    ingest(landing)
    assert [row["sale"] for row in landing.rows("SELECT sale FROM raw.sales")] == ["s000002"]


def test_columns_that_only_some_events_have_do_not_refuse_the_drop(landing: Shop) -> None:
    events = [sale(number, number) for number in range(100)]
    events[10] |= {"weather": {"rain": 1.10}}
    events[20] = {name.upper(): value for name, value in events[20].items()}
    del events[30]["shop"]
    events[40] |= {"AT": "twice"}
    landing.send(*events)
    assert landing.read() == 98
    (outcome,) = ingest(landing)
    assert (outcome.read, outcome.loaded) == (99, 98)
    assert [(row["rule"], row["offset"]) for row in landing.quarantined()] == [("columns", 40)]
    (rescued,) = landing.rows("SELECT _rescued ->> 'weather' AS weather FROM raw.sales WHERE sale = 's000010'")
    assert rescued["weather"] == '{"rain":1.1}'


def test_a_range_that_was_decided_is_landed_with_exactly_its_events(landing: Shop) -> None:
    landing.send(*(sale(number, number) for number in range(20)))
    with psycopg.connect(landing.database_url, autocommit=True) as connection:
        (one,) = claim(connection, "sales", landing.topic, [0], [0], "dead")
        segment = Segment(0, 0, 6, date(2026, 3, 9))
        Segments("sales", landing.topic, "sales").decide(connection, segment, one.generation)
    landing.read()
    found = {key.rsplit("-", 1)[-1]: frame["_offset"].to_list() for key, frame in landed(landing).items()}
    assert found == {f"{0:020}.parquet": [*range(7)], f"{7:020}.parquet": [*range(7, 20)]}


def test_what_was_not_landed_is_read_again_and_counts_no_more(landing: Shop) -> None:
    events = [sale(number, number) for number in range(10)]
    landing.send(*events)
    assert landing.read(lands=False) == 10
    assert landed(landing) == {}
    assert landing.read() == 0
    (frame,) = landed(landing).values()
    assert frame["sale"].to_list() == [event["sale"] for event in events]
    assert sum(row["sales"] for row in landing.windows()) == 10


def test_a_process_whose_partition_is_anothers_decides_nothing(landing: Shop) -> None:
    segments = Segments("sales", landing.topic, "sales")
    with psycopg.connect(landing.database_url, autocommit=True) as connection:
        (first,) = claim(connection, "sales", landing.topic, [0], [0], "first")
        (second,) = claim(connection, "sales", landing.topic, [0], [0], "second")
        segment = Segment(0, 0, 6, date(2026, 3, 9))
        with pytest.raises(Fenced):
            segments.decide(connection, segment, first.generation)
        segments.decide(connection, segment, second.generation)
        segments.decide(connection, segment, second.generation)  # the answer to the first time was lost
        with pytest.raises(Fenced):
            segments.done(connection, segment, first.generation, 7, 100)


def gathered(count: int, partition: int = 0, first: int = 0) -> pl.DataFrame:
    rows = {"_partition": [partition] * count, "_offset": [*range(first, first + count)], "text": ["x" * 1_000] * count}
    return pl.DataFrame(rows, schema_overrides={"_partition": pl.Int32})


def test_segments_are_bounded_by_bytes_and_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "SEGMENT_BYTES", 50_000)
    monkeypatch.setattr(gathering, "ALL_BYTES", 120_000)
    assignment = Assignment({number: Claimed(number, 1, None, None, None) for number in range(4)})
    some = Gathering(assignment, {}, wait=1_000)
    some.add(gathered(40), {0: 40})
    assert list(some.ready()) == []
    some.add(gathered(40, first=40), {0: 80})
    (ready,) = some.ready()
    assert (ready.first, ready.behind, ready.events.height) == (0, 80, 80)
    for number in (1, 2, 3):
        some.add(gathered(40 + number, number), {number: 40 + number})
    assert [one.partition for one in some.ready()] == [3]  # the most of all that lie in memory
    waiting = Gathering(assignment, {}, wait=0)
    waiting.add(gathered(1), {0: 1})
    assert [one.behind for one in waiting.ready()] == [1]


def test_messages_without_events_move_the_landed_position(landing: Shop) -> None:
    landing.send(b"{", b"{", b"{")
    landing.read()
    assert landed(landing) == {}
    (found,) = landing.rows("SELECT committed, landed FROM streams.positions")
    assert found == {"committed": 3, "landed": 3}
