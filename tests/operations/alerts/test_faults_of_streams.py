"""Each fault that a rule of streams exists for, made with a real broker: exactly one alert, and one recovery."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import psycopg
import pytest
from alerting import Watch, watch, webhook
from kafka_broker import RunningBroker
from streamed import Shop, sale

from lastmile.contracts import Alert, Route
from lastmile.operations.alerts.declared import declared_rules
from lastmile.operations.alerts.published import publish
from lastmile.settings import Settings
from lastmile.store import Store
from lastmile.streaming import StreamAlerts
from lastmile.streaming.consumer.commit import Commits

Titles = Callable[[], list[str]]
#: As if so much time had passed, of which Postgres knows nothing.
_PASSED = """
    UPDATE streams.positions SET read_at = read_at - %(time)s, committed_at = committed_at - %(time)s;
    UPDATE streams.consumers SET heartbeat_at = heartbeat_at - %(time)s;
    UPDATE streams.gaps SET at = at - %(time)s;
    UPDATE quarantine.messages SET at = at - %(time)s
"""


@pytest.fixture
def shop(kafka: RunningBroker, database_url: str, store: Store) -> Shop:
    return Shop(kafka, database_url, store)


@pytest.fixture
def titles(shop: Shop, settings: Settings) -> Iterator[Titles]:
    """What arrived in another ten minutes, by the stream as it is declared now."""
    with webhook() as hook:
        here: Watch = watch(settings, f"team={hook.address}")

        def titles() -> list[str]:
            before = len(hook.received)
            with psycopg.connect(shop.database_url, autocommit=True) as connection:
                publish(connection, declared_rules([], [], [shop.stream]), [Route(channels=("team",))])
            here.pass_by(10)
            return hook.titles[before:]

        yield titles


def declared(shop: Shop, **alerts: Alert | None) -> None:
    shop.stream = replace(shop.stream, alerts=StreamAlerts(**alerts))


def pass_by(shop: Shop, **time: float) -> None:
    with psycopg.connect(shop.database_url, autocommit=True) as connection:
        for statement in _PASSED.split(";"):
            connection.execute(statement.encode(), {"time": timedelta(**time)})


@contextmanager
def read(shop: Shop) -> Iterator[None]:
    """While a process reads the stream; it has read what was there."""
    shop.read()
    running = shop.running(until_caught_up=False)
    thread = Thread(target=running.run)
    thread.start()
    try:
        while not shop.rows("SELECT FROM streams.consumers WHERE partitions <> '{}'"):
            assert thread.is_alive()
        yield
    finally:
        running.stop()
        thread.join(60)


def test_a_stream_that_was_never_read_is_no_alert(shop: Shop, titles: Titles) -> None:
    shop.send(sale(1))
    assert titles() == []


def test_a_stream_that_no_process_reads_is_one_alert_until_one_does(shop: Shop, titles: Titles) -> None:
    shop.send(sale(1))
    with read(shop):
        assert titles() == []
    pass_by(shop, minutes=5)
    assert titles() == ["[critical] consumer_dead: sales"]
    assert titles() == []
    with read(shop):
        assert titles() == ["[critical] over: consumer_dead: sales"]


def test_a_process_that_lives_and_commits_nothing_of_what_waits_is_one_alert(
    shop: Shop, titles: Titles, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send(*(sale(number) for number in range(10)))
    shop.read()
    monkeypatch.setattr(Commits, "_see", lambda *_: None)  # which would find that nothing waits
    with read(shop):
        lag = "UPDATE streams.positions SET end_offset = end_offset + {}, committed_at = now() - {} RETURNING stream"
        shop.rows(lag.format(5, "interval '10 minutes'"))
        assert titles() == ["[critical] consumer_dead: sales"]
        shop.rows(lag.format(-5, "interval '0'"))
        assert titles() == ["[critical] over: consumer_dead: sales"]


def test_messages_that_pile_up_are_one_alert_until_they_are_read(shop: Shop, titles: Titles) -> None:
    declared(shop, consumer_lag=Alert(100), consumer_dead=None)
    shop.send(*(sale(number) for number in range(200)))
    shop.rows(
        "INSERT INTO streams.positions (stream, topic, partition, consumer, end_offset)"
        " VALUES ('sales', %s, 0, 'one that died', 200) RETURNING stream",
        shop.topic,
    )
    assert titles() == ["[warning] consumer_lag: sales"]
    assert shop.read() == 200
    assert titles() == ["[warning] over: consumer_lag: sales"]


def test_a_stream_that_falls_silent_is_one_alert_until_a_message_comes(shop: Shop, titles: Titles) -> None:
    declared(shop, stream_silent=Alert(timedelta(minutes=30)))
    shop.send(sale(1))
    with read(shop):
        shop.rows("UPDATE streams.positions SET committed_at = now() - interval '1 hour' RETURNING stream")
        assert titles() == ["[warning] stream_silent: sales"]
        shop.send(sale(2, 1))
        while shop.rows("SELECT FROM streams.positions WHERE committed < 2"):
            pass
        assert titles() == ["[warning] over: stream_silent: sales"]


def test_a_stream_that_is_not_read_does_not_count_as_silent(shop: Shop, titles: Titles) -> None:
    declared(shop, stream_silent=Alert(timedelta(minutes=30)), consumer_dead=None)
    shop.send(sale(1))
    shop.read()
    pass_by(shop, hours=1)
    assert titles() == []


def test_late_events_are_one_alert_until_they_are_a_quarter_of_an_hour_old(shop: Shop, titles: Titles) -> None:
    declared(shop, consumer_dead=None)
    shop.send(sale(0, 3_600), *(sale(number, 3_600) for number in range(1, 500)))
    shop.read()
    assert titles() == []
    shop.send(*(sale(number, 0) for number in range(500, 700)))
    shop.read()
    assert titles() == ["[warning] late_share: sales"]
    shop.send(*(sale(number, 3_601) for number in range(700, 850)))
    shop.read()
    assert titles() + titles() == ["[warning] over: late_share: sales"]


def test_poison_messages_are_one_alert_for_an_hour(shop: Shop, titles: Titles) -> None:
    declared(shop, consumer_dead=None)
    shop.send(sale(1), b"{broken", None, sale(2, shop="west"))
    shop.read()
    assert len(shop.quarantined()) == 3
    assert titles() == ["[warning] poison_messages: sales"]
    pass_by(shop, hours=2)
    assert titles() == ["[warning] over: poison_messages: sales"]


def test_messages_that_the_broker_deleted_unread_are_one_alert_for_a_day(shop: Shop, titles: Titles) -> None:
    declared(shop, consumer_dead=None)
    shop.send(sale(1))
    shop.read()
    shop.rows("INSERT INTO streams.gaps VALUES ('sales', %s, 0, 10, 60) RETURNING stream", shop.topic)
    assert titles() == ["[critical] messages_gone: sales"]
    pass_by(shop, days=2)
    assert titles() == ["[critical] over: messages_gone: sales"]
