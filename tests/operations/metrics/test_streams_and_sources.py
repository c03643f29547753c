"""What a scrape says of a stream and of a source, next to what was sent and fetched."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from kafka_broker import RunningBroker
from orders import shop_at
from prometheus_client import Metric
from rest_server import Reply, api_server
from streamed import START, Shop, sale

from lastmile.errors import UserError
from lastmile.operations.metrics.sources import sources
from lastmile.operations.metrics.streams import streams
from lastmile.store import Store


@pytest.fixture
def shop(kafka: RunningBroker, database_url: str, store: Store) -> Shop:
    return Shop(kafka, database_url, store, partitions=2)


def scraped(database_url: str, part: Callable[[psycopg.Connection], Iterator[Metric]]) -> dict[str, float]:
    """Values by metric and labels."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = [sample for metric in part(connection) for sample in metric.samples]
    return {",".join([one.name.removeprefix("lastmile_"), *sorted(one.labels.values())]): one.value for one in found}


def test_what_was_sent_is_counted_by_what_became_of_it(shop: Shop) -> None:
    shop.send(sale(0, 600), *(sale(number, 600) for number in range(1, 50)), b"broken", b"[1", partition=0)
    shop.send(*(sale(number, 700) for number in range(50, 60)), sale(60, 0), partition=1)
    shop.read()
    found = scraped(shop.database_url, streams)
    counted = {name: found[f"stream_{name}_total,sales"] for name in ("events", "late", "duplicate", "quarantined")}
    assert counted == {"events": 60, "late": 1, "duplicate": 0, "quarantined": 3}
    assert found["stream_left_out,message,sales"] == 2
    assert found["stream_late_share,sales"] == pytest.approx(1 / 61)
    assert (found["stream_lag_messages,sales"], found["stream_partition_lag_messages,1,sales"]) == (0, 0)
    watermark = START + timedelta(seconds=600) - shop.stream.lateness
    assert found["stream_watermark_age_seconds,sales"] == pytest.approx(time.time() - watermark.timestamp(), abs=60)
    assert 0 <= found["stream_commit_age_seconds,sales"] < 300
    assert 0 <= found["stream_sign_age_seconds,sales"] < 300
    assert (found["stream_consumers,sales"], found["stream_gone_messages,sales"]) == (0, 0)


def test_what_waits_is_the_lag_of_its_partition(shop: Shop) -> None:
    shop.send(sale(1), partition=0)
    shop.send(sale(2), partition=1)
    shop.read()
    shop.rows("UPDATE streams.positions SET end_offset = 40 WHERE partition = 1 RETURNING stream")
    found = scraped(shop.database_url, streams)
    lags = [found[f"stream_partition_lag_messages,{number},sales"] for number in (0, 1)]
    assert (lags, found["stream_lag_messages,sales"]) == ([0, 39], 39)


def test_a_source_that_fails_is_counted_until_it_does_not(store: Store, database_url: str) -> None:
    with api_server() as api, shop_at(api, store, database_url) as shop:
        shop.add(1)
        shop.fetch()
        assert scraped(database_url, sources)["source_failures_in_a_row,shop"] == 0
        api.routes["/gone"] = lambda _: Reply({"error": "no"}, status=404)
        for _ in range(2):
            with pytest.raises(UserError):
                shop.fetch(path="/gone")
        found = scraped(database_url, sources)
    assert found["source_failures_in_a_row,shop"] == 2
    assert 0 <= found["source_age_seconds,shop"] < 300
