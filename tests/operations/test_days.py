"""The figures of a day are those of the ledger, however often and however late they are made."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lastmile.operations.days import aggregate, due
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.scheduled.days import daily_figures, nightly_figures

TODAY = datetime.now(UTC).date()


def days_ago(site, name, days):
    """As if the drop had been found, and all that happened to it been done, so many days ago."""
    past = f"- interval '{days} days'"
    site.connection.execute(
        f"UPDATE ledger.drops SET discovered_at = discovered_at {past}, settled_at = settled_at {past}"
        " WHERE key LIKE %s",
        [f"%{name}"],
    )
    site.connection.execute(
        f"UPDATE ledger.events SET at = at {past} WHERE drop_id IN (SELECT id FROM ledger.drops WHERE key LIKE %s)",
        [f"%{name}"],
    )


def figures(site):
    return site.query(
        "SELECT day, partition, drops, loaded, quarantined, rows_read, rows_loaded, rows_quarantined,"
        " lag_seconds > 0 AS lag"
        " FROM figures.drops ORDER BY day, partition"
    )


def test_a_day_has_the_drops_that_were_found_on_it_and_adds_up(site):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    site.arrive("b.csv", "v3,3,2,1,done", year="2021")
    found = aggregate(site.connection, site.store.url, TODAY)
    assert figures(site) == [
        {"day": TODAY, "partition": "2020", "drops": 1, "loaded": 1, "quarantined": 0, "rows_read": 2, "rows_loaded": 1,
         "rows_quarantined": 1, "lag": True},
        {"day": TODAY, "partition": "2021", "drops": 1, "loaded": 1, "quarantined": 0, "rows_read": 1, "rows_loaded": 1,
         "rows_quarantined": 0, "lag": True},
    ]  # fmt: skip
    assert (found["drops"], found["rows_read"]) == (2, 3)
    before = figures(site)
    aggregate(site.connection, site.store.url, TODAY)
    assert figures(site) == before


def test_days_that_were_missed_are_due_and_those_whose_drops_changed_are_due_again(site):
    assert due(site.connection, site.store.url) == []
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    days_ago(site, "a.csv", 3)
    first = TODAY - timedelta(days=3)
    every = [first, first + timedelta(days=1), first + timedelta(days=2)]
    assert due(site.connection, site.store.url) == every
    for day in every:
        aggregate(site.connection, site.store.url, day)
    assert due(site.connection, site.store.url) == []
    site.query("INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, 'released' FROM ledger.drops"
               " RETURNING id")  # fmt: skip
    assert due(site.connection, site.store.url) == [first]


def test_a_partition_predicted_again_later_leaves_the_earlier_day_as_it_was(site):
    site.query("INSERT INTO registry.model_versions (name, version, artifact_key, sha256, feature_set, features,"
               " data_versions, scores) VALUES ('m', '1', 'k', 's', 'f', '[]', '{}', '{}') RETURNING name")  # fmt: skip

    def predict(days_ago, rows):
        site.query(
            "INSERT INTO registry.predictions (name, partition_start, model_name, model_version, rows, predicted_at)"
            " VALUES ('m', '2020-01-01', 'm', '1', %s, now() - %s * interval '1 day')"
            " ON CONFLICT (name, partition_start) DO UPDATE SET rows = excluded.rows,"
            " predicted_at = excluded.predicted_at"
            " RETURNING name",
            rows, days_ago,
        )  # fmt: skip
        return TODAY - timedelta(days=days_ago)

    first = predict(2, '{"low": 3, "high": 4}')
    assert aggregate(site.connection, site.store.url, first)["predictions"] == 7
    second = predict(1, '{"low": 5}')
    assert aggregate(site.connection, site.store.url, second)["predictions"] == 5
    aggregate(site.connection, site.store.url, first)
    found = site.query("SELECT day, level, predictions FROM figures.predictions ORDER BY day, level")
    assert [tuple(row.values()) for row in found] == [(first, "high", 4), (first, "low", 3), (second, "low", 5)]


@pytest.fixture
def platform(database_url, settings, monkeypatch):
    monkeypatch.setenv("LASTMILE_DATABASE_URL", database_url)
    return Platform()


def test_the_schedule_makes_up_for_nights_without_a_daemon_in_one_run(site, platform):
    site.arrive("a.csv", "v1,3,2,1,done")
    days_ago(site, "a.csv", 4)
    with dg.DagsterInstance.ephemeral() as instance:
        at = datetime.now(UTC)
        with dg.build_schedule_context(
            instance=instance, resources={"platform": platform}, scheduled_execution_time=at
        ) as context:
            (request,) = nightly_figures.evaluate_tick(context).run_requests
            made = dg.materialize(
                [daily_figures], instance=instance, resources={"platform": platform}, tags=request.tags
            )
            assert made.success
            assert len(instance.get_materialized_partitions(daily_figures.key)) == 4
            assert nightly_figures.evaluate_tick(context).run_requests == []
    assert [row["drops"] for row in figures(site)] == [1]
