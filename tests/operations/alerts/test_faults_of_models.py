"""Each fault that a model's rule exists for: exactly one alert, and one recovery."""

import psycopg
import pytest
from alerting import watch, webhook
from psycopg.types.json import Jsonb

from lastmile.contracts import Route
from lastmile.operations.alerts.published import publish
from lastmile.operations.alerts.rule import Rule

RULES = [
    Rule("drift", "yield", "team", 1),
    Rule("performance", "yield", "team", 1),
    Rule("floor", "yield", "team", 0.85),
    Rule("promotion", "yield", "team", 1),
    Rule("training", "yield", "team", 1),
]


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url, autocommit=True) as found:
        publish(found, RULES, [Route(channels=("team",))])
        register(found, "1", 0.9)
        found.execute("INSERT INTO registry.deployments (name, version) VALUES ('yield', '1')")
        yield found


def register(connection, version, score):
    scores = Jsonb({"floor": {"metric": "accuracy", "score": score}})
    connection.execute(
        "INSERT INTO registry.model_versions (name, version, artifact_key, sha256, feature_set, features,"
        " data_versions, scores) VALUES ('yield', %s, '', '', 'fields', '[]', '{}', %s)",
        [version, scores],
    )


def monitor(connection, drifted=(), fell=False, year=2020):
    connection.execute("DELETE FROM registry.monitoring WHERE partition_start = make_date(%s, 1, 1)", [year])
    connection.execute(
        "INSERT INTO registry.monitoring (name, partition_start, model_version, rows, compared_with, new_labelled,"
        " drifted, metric, score, expected, performance_fell)"
        " VALUES ('yield', make_date(%s, 1, 1), '1', 9, 9, 9, %s, 'accuracy', 0.6, 0.8, %s)",
        [year, list(drifted), fell],
    )


def judge(connection, version, decision):
    connection.execute(
        "INSERT INTO registry.judgements (name, version, against, decision, reasons, comparison)"
        " VALUES ('yield', %s, '1', %s, '[\"too good\"]', '{}')",
        [version, decision],
    )


def train(connection, outcome):
    connection.execute(
        "INSERT INTO registry.trainings (name, reason, changes, outcome) VALUES ('yield', 'new rows', 1, %s)", [outcome]
    )


@pytest.fixture
def team(settings, connection):
    with webhook() as hook:
        here = watch(settings, f"team={hook.address}")

        def received():
            before = len(hook.received)
            here.pass_by(10)
            return [(one["title"], one["message"]) for one in hook.received[before:]]

        yield received


def titles(found):
    return [title for title, _ in found]


def test_a_model_in_order_gives_no_alert(connection, team):
    monitor(connection)
    train(connection, "archive: no better")
    judge(connection, "1", "archive")
    assert team() == []


def test_drift_of_the_newest_partition_is_one_alert_until_a_newer_one_is_without(connection, team):
    monitor(connection, ["rain_mm: PSI 0.4"])
    ((title, message),) = team()
    assert title == "[warning] drift: yield 2020-01-01"
    assert "rain_mm: PSI 0.4" in message
    monitor(connection, year=2021)
    assert titles(team()) == ["[warning] over: drift: yield 2020-01-01"]


def test_a_performance_that_fell_is_one_alert_until_another_version_is_in_use(connection, team):
    monitor(connection, fell=True)
    ((title, message),) = team()
    assert title == "[warning] performance: yield"
    assert "accuracy 0.6, expected 0.8" in message
    register(connection, "2", 0.9)
    connection.execute("UPDATE registry.deployments SET version = '2'")
    assert titles(team()) == ["[warning] over: performance: yield"]


def test_a_score_below_the_floor_is_one_alert_until_a_better_version_is_in_use(connection, team):
    register(connection, "2", 0.7)
    connection.execute("UPDATE registry.deployments SET version = '2'")
    ((title, message),) = team()
    assert title == "[warning] floor: yield"
    assert "0.7 (threshold 0.85)" in message
    connection.execute("UPDATE registry.deployments SET version = '1'")
    assert titles(team()) == ["[warning] over: floor: yield"]


def test_a_suspect_candidate_is_one_alert_until_it_is_decided_about(connection, team):
    register(connection, "2", 0.99)
    judge(connection, "2", "suspect")
    ((title, message),) = team()
    assert title == "[warning] promotion: yield"
    assert "too good" in message
    connection.execute(
        "INSERT INTO registry.events (name, version, event, reason, actor)"
        " VALUES ('yield', '2', 'promoted', 'looked at', 'ada')"
    )
    assert titles(team()) == ["[warning] over: promotion: yield"]


def test_trainings_that_fail_are_one_alert_until_one_succeeds(connection, team):
    train(connection, "failed: no labelled rows")
    train(connection, "failed: no labelled rows")
    ((title, message),) = team()
    assert title == "[warning] training: yield"
    assert "2 failures" in message
    train(connection, "promote: better")
    assert titles(team()) == ["[warning] over: training: yield"]
