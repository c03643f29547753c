"""Each fault that a rule of sources exists for: exactly one alert, and one recovery once it is mended."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from alerting import watch, webhook
from databases import administer, own_database
from followed import VARIABLE
from followed import Shop as Followed
from followed import source as changes
from orders import Shop, shop_at
from rest_server import Reply, api_server

from lastmile.contracts import Alert, Route
from lastmile.errors import UserError
from lastmile.operations.alerts.declared import declared_rules
from lastmile.operations.alerts.published import publish
from lastmile.operations.schedule import Schedule
from lastmile.settings import Settings
from lastmile.sources import Source, SourceAlerts
from lastmile.sources.changes.lagging import look
from lastmile.sources.rest import client
from lastmile.store import Store

Titles = Callable[..., list[str]]


@pytest.fixture
def titles(database_url: str, settings: Settings) -> Iterator[Titles]:
    """What arrived in another so many minutes, by a source as it is declared."""
    with webhook() as hook:
        here = watch(settings, f"team={hook.address}")

        def titles(source: Source, minutes: float = 60) -> list[str]:
            before = len(hook.received)
            with psycopg.connect(database_url, autocommit=True) as connection:
                publish(connection, declared_rules([], [], [], [source]), [Route(channels=("team",))])
            here.pass_by(minutes)
            return hook.titles[before:]

        yield titles


@pytest.fixture
def shop(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop behind an API, which is tried once only."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.01)
    with api_server() as api, shop_at(api, store, database_url) as one:
        yield one


def passed(shop: Shop, **time: float) -> None:
    """As if so much time had passed since the runs so far."""
    ago = timedelta(**time)
    shop.connection.execute(
        "UPDATE sources.runs SET started_at = started_at - %s, ended_at = ended_at - %s", [ago, ago]
    )


def test_a_source_that_brings_nothing_for_longer_than_it_says_is_one_alert_until_it_does(
    shop: Shop, titles: Titles
) -> None:
    shop.add(1, 2)
    source = shop.source(stale_after=timedelta(days=1))
    assert titles(source) == [], "it never ran"
    shop.fetch()
    assert titles(source) == []
    passed(shop, days=2)
    assert titles(source) == ["[warning] source_overdue: shop"]
    shop.ingest()
    assert shop.fetch().state == "nothing new"
    assert titles(source) == []
    shop.add(60)
    shop.fetch()
    assert titles(source) == ["[warning] over: source_overdue: shop"]


@pytest.mark.parametrize("more", [{"schedule": None}, {"starts_running": False}, {"stale_after": None}], ids=str)
def test_a_source_that_nothing_fetches_by_itself_is_never_overdue(
    shop: Shop, titles: Titles, more: dict[str, Any]
) -> None:
    shop.add(1)
    shop.fetch()
    passed(shop, days=900)
    assert titles(shop.source(**more)) == []


def test_runs_that_fail_are_one_alert_until_one_succeeds(shop: Shop, titles: Titles) -> None:
    shop.add(1)
    shop.fetch()
    source = replace(shop.source(), path="/gone", schedule=Schedule("0 * * * *"))
    shop.api.routes["/gone"] = lambda _: Reply({"error": "no"}, status=404)
    for _ in range(2):
        with pytest.raises(UserError):
            shop.fetch(path="/gone")
    assert titles(source) == ["[warning] source_failing: shop"]
    shop.fetch()
    assert titles(source) == ["[warning] over: source_failing: shop"]


def test_a_run_that_fails_and_is_tried_again_at_once_is_no_alert(shop: Shop, titles: Titles) -> None:
    shop.add(1)
    shop.api.routes["/gone"] = lambda _: Reply({"error": "no"}, status=404)
    with pytest.raises(UserError):
        shop.fetch(path="/gone")
    assert titles(shop.source(), 5) == []
    shop.fetch()
    assert titles(shop.source()) == []


@pytest.fixture
def followed(postgres: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    with own_database(postgres) as url:
        monkeypatch.setenv(VARIABLE, url)
        with psycopg.connect(url, autocommit=True) as there, psycopg.connect(database_url, autocommit=True) as here:
            made = Followed(there, here)
            made.create()
            yield made
        administer(url, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def test_a_log_that_a_database_keeps_for_us_is_one_alert_until_it_is_read(followed: Followed, titles: Titles) -> None:
    source = changes(alerts=SourceAlerts(slot_lag=Alert(2**20, severity="critical")))
    followed.follow()
    assert titles(source) == []
    followed.does("UPDATE stock SET name = repeat(md5(article::text), 100) FROM generate_series(1, 1000)")
    followed.does("CREATE TABLE other AS SELECT repeat(md5(n::text), 30) t FROM generate_series(1, 4000) n")
    followed.here.execute("UPDATE sources.changes SET seen_at = seen_at - interval '1 hour'")
    assert titles(source) == []
    assert look(followed.here, {"stock": source}) == []
    assert titles(source) == ["[critical] slot_lag: stock"]
    followed.follow()
    assert titles(source) == ["[critical] over: slot_lag: stock"]
