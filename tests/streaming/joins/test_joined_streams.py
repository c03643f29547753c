"""Two streams of a broker, joined with each other and with a table, while both are read by processes of their own."""

import threading
from dataclasses import replace
from datetime import timedelta

import polars as pl
import psycopg
from kafka_broker import RunningBroker
from streamed import SALES, Shop, sale

from lastmile.contracts import Contract
from lastmile.store import Store
from lastmile.streaming import AsOf, Stream, Tumbling, Within
from lastmile.streaming.consumer.running import Running, Surroundings

TOWNS = AsOf(
    name="towns",
    relation="marts.towns",
    keys=("shop",),
    columns={"town": pl.String},
    valid_from="since",
    refresh=timedelta(seconds=1),
)
BY_TOWN = Tumbling(name="sales_by_town", every=timedelta(hours=1), keys=("town",), values={"sales": pl.len()})
SOON_AFTER = Within(
    name="sold_soon_after",
    stream="visits",
    keys=("shop",),
    before=timedelta(seconds=2),
    columns=("sale",),
    other_columns={"visit": "sale"},
)


def test_each_pair_is_found_once_and_each_event_has_its_table_row(
    kafka: RunningBroker, database_url: str, store: Store
) -> None:
    sales, visits = (Shop(kafka, database_url, store, partitions=2) for _ in range(2))
    lateness = timedelta(days=1)
    left = replace(sales.stream, steps=(TOWNS,), windows=(BY_TOWN,), joins=(SOON_AFTER,), lateness=lateness)
    right = replace(visits.stream, name="visits", windows=(), lands=True, lateness=lateness)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE marts.towns (shop text, since timestamptz, town text)")
        connection.execute(
            "INSERT INTO marts.towns VALUES ('north', '2026-01-01', 'Oslo'), ('south', '2026-01-01', 'Rome'),"
            " ('south', '2026-03-01 08:01:00+00', 'Bari')"
        )

    def running(stream: Stream, other: Stream, contract: Contract = SALES) -> Running:
        here = Surroundings(database_url, store, {"bootstrap.servers": kafka.servers, "log_level": "0"})
        return Running(stream, contract, here, True, {other.name: (other, contract)})

    for first in range(0, 120, 40):
        for shop in (sales, visits):
            for partition in range(2):
                shop.send(*(sale(one, one) for one in range(first + 20 * partition, first + 20 * partition + 20)),
                          partition=partition)  # fmt: skip
        both = [threading.Thread(target=running(one, other).run) for one, other in ((left, right), (right, left))]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    found = {(row["sale"], row["visit"]) for row in sales.rows("SELECT sale, visit FROM windows.sold_soon_after")}
    assert found == {
        (sale(one)["sale"], sale(other)["sale"]) for one in range(120) for other in (one, one - 2) if other >= 0
    }
    assert sales.rows("SELECT count(*) AS n FROM windows.sold_soon_after") == [{"n": len(found)}]
    assert sales.rows("SELECT town, sales FROM windows.sales_by_town ORDER BY town") == [
        {"town": "Bari", "sales": 30},
        {"town": "Oslo", "sales": 60},
        {"town": "Rome", "sales": 30},
    ]
    assert sales.rows("SELECT lookup, version, rows FROM streams.lookups") == [
        {"lookup": "towns", "version": 1, "rows": 3}
    ]
