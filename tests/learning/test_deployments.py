"""Which version is in use: changed at once with its history, by many at the same time, and never by halves."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from fields import FIELDS
from sklearn.dummy import DummyClassifier

from lastmile.errors import UserError
from lastmile.learning.registry.deployments import champion, deployment, earlier, hold, promote, release, roll_back
from lastmile.learning.registry.events import Cause, history
from lastmile.learning.registry.versions import Candidate, ModelVersion, register, version_of
from lastmile.store import Store
from lastmile.warehouse.connections import connect

CAUSE = Cause("it is better", "lastmile")


@pytest.fixture
def candidate() -> Candidate:
    return Candidate(
        name="fields",
        estimator=DummyClassifier().fit([[0], [1]], ["low", "high"]),
        feature_set=FIELDS.name,
        features=FIELDS.names(),
        data_versions={"recipe": "r", "rows": "d1"},
        scores={},
    )


@pytest.fixture
def versions(connection: psycopg.Connection, store: Store, candidate: Candidate) -> list[ModelVersion]:
    """Three of them."""
    return [
        register(connection, store, replace(candidate, data_versions={"recipe": "r", "rows": f"d{number}"}))
        for number in range(3)
    ]


def in_use(connection: psycopg.Connection) -> str | None:
    found = champion(connection, "fields")
    return found.version if found else None


def events(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Version and event, the oldest first, but for registrations."""
    found = reversed(history(connection, "fields"))
    return [(event["version"], event["event"]) for event in found if event["event"] != "registered"]


def test_a_registered_version_is_not_in_use(connection, versions) -> None:
    assert in_use(connection) is None
    assert [event["event"] for event in history(connection, "fields")] == ["registered"] * 3


def test_a_promotion_archives_the_champion_before_it_and_says_why(connection, versions) -> None:
    assert promote(connection, versions[0], None, CAUSE) == "deployed"
    assert promote(connection, versions[1], "1", Cause("three villages better", "ann", "run 7")) == "deployed"
    assert in_use(connection) == "2"
    assert events(connection) == [("1", "promoted"), ("2", "promoted"), ("1", "archived")]
    newest = next(event for event in history(connection, "fields") if event["event"] == "promoted")
    assert (newest["reason"], newest["actor"], newest["run_id"]) == ("three villages better", "ann", "run 7")
    assert newest["previous"] == "1"


def test_a_version_judged_against_another_champion_is_not_promoted(connection, versions) -> None:
    promote(connection, versions[0], None, CAUSE)
    assert promote(connection, versions[2], None, CAUSE) == "changed"
    assert promote(connection, versions[2], "2", CAUSE) == "changed"
    assert in_use(connection) == "1"


def test_promoting_the_champion_again_is_nothing_new(connection, versions) -> None:
    promote(connection, versions[0], None, CAUSE)
    assert promote(connection, versions[0], "1", CAUSE) == "same"
    assert events(connection) == [("1", "promoted")]


def test_a_rollback_holds_until_it_is_released(connection, versions) -> None:
    promote(connection, versions[0], None, CAUSE)
    promote(connection, versions[1], "1", CAUSE)
    assert [one.version for one in earlier(connection, "fields")] == ["1"]
    roll_back(connection, versions[0], Cause("two villages are missed", "ann"))
    found = deployment(connection, "fields")
    assert found is not None
    assert (found.version, found.held_by, found.held_reason) == ("1", "ann", "two villages are missed")
    assert promote(connection, versions[2], "1", CAUSE) == "held"
    assert in_use(connection) == "1"
    release(connection, "fields", Cause("mended", "ann"))
    assert promote(connection, versions[2], "1", CAUSE) == "deployed"
    assert events(connection)[3:] == [
        ("1", "rolled back"),
        ("2", "archived"),
        ("1", "held"),
        ("1", "released"),
        ("3", "promoted"),
        ("1", "archived"),
    ]


def test_a_hold_without_a_champion_is_refused(connection, versions) -> None:
    with pytest.raises(UserError, match="no version of fields is in use"):
        hold(connection, "fields", CAUSE)


def test_listeners_hear_of_a_promotion_when_it_is_committed(connection, versions, database_url) -> None:
    with connect(database_url) as listener:
        listener.execute("LISTEN registry_deployments")
        with connection.transaction(force_rollback=True):
            promote(connection, versions[0], None, CAUSE)
        assert list(listener.notifies(timeout=0.2)) == []
        promote(connection, versions[0], None, CAUSE)
        (heard,) = listener.notifies(timeout=5, stop_after=1)
        assert '"version" : "1"' in heard.payload


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE registry.model_versions SET scores = '{}'",
        "DELETE FROM registry.model_versions",
        "UPDATE registry.events SET reason = ''",
        "DELETE FROM registry.events",
    ],
)
def test_versions_and_history_are_never_changed(connection, versions, change: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute(change)


def test_the_view_of_models_says_which_is_active(connection, versions) -> None:
    promote(connection, versions[1], None, CAUSE)
    rows = connection.execute("SELECT id, name, version, model_type, is_active FROM registry.ml_models ORDER BY id")
    assert [row[1:] for row in rows] == [
        ("fields", "1", "DummyClassifier", False),
        ("fields", "2", "DummyClassifier", True),
        ("fields", "3", "DummyClassifier", False),
    ]


def test_a_version_that_is_not_there_is_named_with_those_that_are(connection, versions) -> None:
    with pytest.raises(UserError, match="no version '9'; it has: 3, 2, 1"):
        version_of(connection, "fields", "9")


def test_400_promotions_at_once_leave_one_champion_and_an_unbroken_history(connection, versions, database_url) -> None:
    def churn(worker: int) -> int:
        deployed = 0
        with connect(database_url) as own:
            for number in range(20):
                wanted = versions[(worker + number) % 3]
                current = champion(own, "fields")
                deployed += promote(own, wanted, current.version if current else None, CAUSE) == "deployed"
        return deployed

    with ThreadPoolExecutor(20) as pool:
        deployed = sum(pool.map(churn, range(20)))
    chain = [event for event in reversed(history(connection, "fields")) if event["event"] == "promoted"]
    assert len(chain) == deployed > 20
    assert [event["previous"] for event in chain] == [None, *(event["version"] for event in chain[:-1])]
    assert in_use(connection) == chain[-1]["version"]
    archived = [event["version"] for event in reversed(history(connection, "fields")) if event["event"] == "archived"]
    assert archived == [event["version"] for event in chain[:-1]]
