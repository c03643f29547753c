"""Experiments as they are kept: one at a time, their plan fixed, their end an event with a reason."""

from dataclasses import replace

import psycopg
import pytest
from experimenting import CAUSE, PLAN

from lastmile.errors import UserError
from lastmile.learning.experiments.experiment import decide, experiments, history, named, ramp, running, start, stop
from lastmile.learning.registry import deployments, events


def test_a_started_experiment_is_its_plan_and_says_who_started_it_and_why(connection, shadow):
    assert {name: getattr(shadow, name) for name in vars(PLAN)} == vars(PLAN)
    assert (shadow.state, shadow.share, shadow.started_by, shadow.reason) == ("running", None, "ada", "to try it")
    assert running(connection, "fields") == named(connection, "learned") == shadow


def test_a_model_has_one_running_experiment_at_a_time(connection, shadow):
    with pytest.raises(UserError, match="running experiment learned"):
        start(connection, replace(PLAN, name="second"), CAUSE)
    stop(connection, "learned", CAUSE)
    start(connection, replace(PLAN, name="second"), CAUSE)
    assert [(one.name, one.state) for one in experiments(connection)] == [("second", "running"), ("learned", "stopped")]


def test_a_name_is_used_once(connection, shadow):
    stop(connection, "learned", CAUSE)
    with pytest.raises(UserError, match="choose another name"):
        start(connection, PLAN, CAUSE)


@pytest.mark.parametrize("table", ["experiments", "experiment_events"])
def test_plan_and_events_are_never_changed(connection, shadow, table):
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute(f"DELETE FROM registry.{table}")


def test_an_unknown_experiment_is_an_error_that_names_those_there_are(connection, shadow):
    with pytest.raises(UserError, match="no experiment is named other; there are: learned"):
        named(connection, "other")


def test_a_share_only_grows(connection, halves):
    assert ramp(connection, "halves", 0.7, CAUSE).share == 0.7
    for share in (0.7, 0.2, 1.0):
        with pytest.raises(UserError, match=r"between 0\.7"):
            ramp(connection, "halves", share, CAUSE)


def test_a_shadow_has_no_share(connection, shadow):
    with pytest.raises(UserError, match="shadow"):
        ramp(connection, "learned", 0.5, CAUSE)


def test_deciding_for_a_treatment_promotes_it_and_keeps_the_verdict(connection, shadow, versions):
    found = decide(connection, "learned", versions[1], "It is better.", CAUSE)
    assert (found.state, found.decision) == ("decided", "2")
    assert deployments.champion(connection, "fields").version == "2"
    newest = events.history(connection, "fields")[1]
    assert (newest["event"], newest["reason"]) == ("promoted", "experiment learned: to try it")
    last = history(connection, "learned")[-1]
    assert (last.event, last.decision, last.verdict, last.actor) == ("decided", "2", "It is better.", "ada")


def test_deciding_for_the_control_changes_no_champion(connection, shadow, versions):
    before = events.history(connection, "fields")
    assert decide(connection, "learned", versions[0], "No difference.", CAUSE).decision == "1"
    assert events.history(connection, "fields") == before


def test_a_stopped_experiment_can_be_decided_and_a_decided_one_not_again(connection, shadow, versions):
    stop(connection, "learned", CAUSE)
    decide(connection, "learned", versions[1], "", CAUSE)
    with pytest.raises(UserError, match="is decided for version 2 since"):
        decide(connection, "learned", versions[0], "", CAUSE)
    with pytest.raises(UserError, match="is decided"):
        stop(connection, "learned", CAUSE)


def test_a_held_champion_is_not_replaced_and_the_experiment_goes_on(connection, shadow, versions):
    deployments.hold(connection, "fields", CAUSE)
    with pytest.raises(UserError, match="lastmile models release fields"):
        decide(connection, "learned", versions[1], "", CAUSE)
    assert named(connection, "learned").state == "running"


def test_a_treatment_compared_with_an_earlier_champion_is_not_promoted(connection, shadow, versions):
    deployments.roll_back(connection, versions[1], CAUSE)
    deployments.release(connection, "fields", CAUSE)
    with pytest.raises(UserError, match="version 2 of fields is in use by now"):
        decide(connection, "learned", versions[1], "", CAUSE)
    assert named(connection, "learned").state == "running"


def test_a_version_of_no_part_is_refused(connection, shadow, versions):
    with pytest.raises(UserError, match="compares the versions 1, 2, not 7"):
        decide(connection, "learned", replace(versions[1], version="7"), "", CAUSE)
