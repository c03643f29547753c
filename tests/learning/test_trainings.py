"""What calls for a training, and what does not: new rows, the floor, drift, code, time, each with its reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
from fields import YIELD
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from lastmile.learning import Retraining
from lastmile.learning.registry import trainings
from lastmile.learning.registry.deployments import promote
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.trainings import Standing, Training, due
from lastmile.learning.registry.versions import Candidate, ModelVersion, register

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LAST = Training(1, NOW - timedelta(days=2), "fields", "the first 100 labelled rows", 100, "run", "done", "1")
STILL = Standing(NOW, changes=100, last=LAST, code_version="c1")
BELOW = "accuracy_poor 0.700 is below the floor 0.85"


def why(found: Standing, **rules: object) -> str | None:
    return due(replace(YIELD, retraining=Retraining(**rules)), "c1", found)  # type: ignore[arg-type]


def test_nothing_new_calls_for_nothing() -> None:
    assert why(STILL) is None


def test_the_first_labelled_rows_call_for_the_first_training() -> None:
    assert why(Standing(NOW, changes=7, last=None, code_version=None)) == "the first 7 labelled rows"
    assert why(Standing(NOW, changes=0, last=None, code_version=None)) is None


def test_a_first_training_that_made_nothing_waits_for_more_rows() -> None:
    failed = replace(LAST, version=None, outcome="failed: too few rows")
    assert why(Standing(NOW, changes=100, last=failed, code_version=None)) is None
    assert why(Standing(NOW, changes=101, last=failed, code_version=None)) == "the first 1 labelled rows"


def test_enough_new_rows_call_for_a_training_whenever_the_last_one_was() -> None:
    just_now = replace(STILL, last=replace(LAST, at=NOW))
    assert why(replace(just_now, changes=149)) is None
    assert why(replace(just_now, changes=150)) == "50 new labelled rows (50 call for a training)"
    assert why(replace(just_now, changes=150), new_rows=51) is None


def test_a_model_below_its_floor_is_trained_again_once_there_is_something_new_and_the_cool_down_is_over() -> None:
    below = replace(STILL, below_floor=BELOW)
    assert why(below) is None, "the same rows would make the same model"
    assert why(replace(below, changes=101)) == f"{BELOW}; 1 new labelled rows"
    assert why(replace(below, changes=101), cooldown=timedelta(days=3)) is None
    assert why(replace(below, changes=101), below_floor=False) is None


def test_drift_calls_for_a_training_by_the_same_rule() -> None:
    drifted = replace(STILL, drift="rain_mm, soil")
    assert why(drifted) is None
    assert why(replace(drifted, changes=110)) == "drift: rain_mm, soil; 10 new labelled rows"
    assert why(replace(drifted, changes=110), drift=False) is None


def test_changed_code_calls_for_one_training_also_where_that_fails() -> None:
    model = YIELD
    assert due(model, "c2", STILL) == "its code changed: c2"
    tried = replace(STILL, last=replace(LAST, reason="its code changed: c2", outcome="failed: an error"))
    assert due(model, "c2", tried) is None
    assert due(model, "c3", tried) == "its code changed: c3"


def test_time_alone_calls_for_a_training_where_the_model_says_so() -> None:
    old = replace(STILL, last=replace(LAST, at=NOW - timedelta(days=7)))
    assert why(old) == "7 days since the last training"
    assert why(old, every=None) is None


@given(
    changes=st.integers(100, 300),
    since=st.timedeltas(timedelta(0), timedelta(days=30)),
    below=st.sampled_from([None, BELOW]),
    drift=st.sampled_from([None, "soil"]),
)
def test_no_reason_comes_back_at_once_after_the_training_it_led_to(changes, since, below, drift) -> None:
    found = Standing(NOW, changes, replace(LAST, at=NOW - since), "c1", below, drift)
    if reason := why(found):
        trained = replace(LAST, id=2, at=NOW, reason=reason, changes=changes)
        assert why(replace(found, last=trained)) is None


def test_a_training_remembers_what_it_began_with_and_how_it_ended(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO registry.feature_partitions (name, partition_start, rows, labelled, changed) VALUES"
        """ ('fields', '2020-01-01', 10, '{"yield_level": 8}', '{"yield_level": 12}'),"""
        """ ('fields', '2021-01-01', 10, '{"yield_level": 5}', '{"yield_level": 5}')"""
    )
    number = trainings.begin(connection, YIELD, "by hand", "run 1")
    trainings.end(connection, number, "promote: the first", "1")
    found = trainings.last(connection, "fields")
    assert found is not None
    assert (found.changes, found.reason, found.outcome, found.version) == (17, "by hand", "promote: the first", "1")
    assert trainings.standing(connection, YIELD).changes == 17


def test_the_floor_is_that_of_the_champion_not_of_the_newest_version(connection: psycopg.Connection, store) -> None:
    def made(score: float, rows: str) -> ModelVersion:
        estimator = DummyClassifier().fit([[0], [1]], ["low", "high"])
        scores = {"floor": {"metric": "accuracy_poor", "score": score}}
        candidate = Candidate("fields", estimator, "fields", [], {"recipe": "r", "rows": rows}, scores)
        return register(connection, store, replace(candidate, code_version=f"c {rows}"))

    promote(connection, made(0.7, "a"), None, Cause("the first", "pytest"))
    made(0.9, "b")
    found = trainings.standing(connection, YIELD)
    assert (found.below_floor, found.code_version) == ("accuracy_poor 0.700 is below the floor 0.85", "c b")
