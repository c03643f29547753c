"""`lastmile experiments`: from the start of one to its decision."""

import json
from pathlib import Path

import pytest
from commands import Commands
from experimenting import keep, two_versions, without_levels
from fields import YIELD, fields

from lastmile.contracts.broken import Declarations
from lastmile.learning.declarations import loading
from lastmile.learning.declarations.loading import Declared
from lastmile.learning.registry.deployments import champion
from lastmile.warehouse.connections import connect

COMMANDS = Commands("experiments")
run, said, mistake = COMMANDS.run, COMMANDS.said, COMMANDS.mistake


@pytest.fixture
def warehouse(settings, store, database_url, monkeypatch):
    """Two versions of the model of fields, and its rows without levels."""
    declared = Declarations()
    declared["fields"] = Declared(YIELD, "farming", Path(__file__), "c")
    monkeypatch.setattr(loading, "load_models", lambda assets: declared)
    with connect(database_url) as connection:
        two_versions(connection, store)
        keep(connection, store, without_levels(fields()))
        yield connection


def started(*options):
    return said("start", "learned", "--model", "fields", "--treatment", "2", "--size", "200", "--why", "new", *options)


def test_an_experiment_from_its_start_to_its_decision(warehouse, store):
    assert "started learned: version 2 against 1, shadow" in started("--who", "ada")
    assert "exposed: 300 rows; logged before: 0" in said("run", "learned")
    assert "exposed: 0 rows; logged before: 300" in said("run", "learned")
    assert "Not decided between version 2 and version 1" in said("report", "learned")
    keep(warehouse, store, fields())
    report = said("report", "learned")
    assert "learned (running): Version 2 is better than version 1: ranked_probability_score -" in report
    assert "rows: 300 exposed, 300 with outcome, 200 planned" in report
    assert report.splitlines()[-1] == f"page: {store.url}/reports/experiments/learned.html"
    assert b"<svg" not in store.read("reports/experiments/learned.html")
    assert b"data:image/svg+xml" in store.read("reports/experiments/learned.html")
    decided = said("decide", "learned", "--for", "2", "--why", "fewer errors", "--yes")
    assert "decided learned for version 2, which is in use now" in decided
    assert champion(warehouse, "fields").version == "2"
    assert "decided for 2" in said("list")


def test_partitions_are_run_one_by_one(warehouse):
    started()
    of_2020 = int((fields()["season"].dt.year == 2020).sum())
    assert f"exposed: {of_2020} rows" in said("run", "learned", "--partition", "2020")


def test_an_artifact_that_is_not_as_registered_is_an_error_and_nothing_is_exposed(warehouse, store):
    started()
    store.put("models/fields/2/model.skops", b"other bytes")
    assert "learned cannot run: models/fields/2/model.skops: its sha256 is" in mistake("run", "learned")
    assert "rows: 0 exposed" in said("report", "learned")


def test_programs_get_the_report_and_the_list_as_json(warehouse, store):
    started()
    said("run", "learned")
    keep(warehouse, store, fields())
    written = said("report", "learned", "--json")
    assert "Infinity" not in written
    found = json.loads(written)
    assert (found["exposed"], found["known"], found["trusted"]) == (300, 300, True)
    assert found["comparisons"][0]["fixed"]["significant"] is True
    assert found["verdict"].startswith("Version 2 is better")
    (listed,) = json.loads(said("list", "--json"))["experiments"]
    assert (listed["name"], listed["state"], listed["treatments"]) == ("learned", "running", ["2"])
    assert said("list", "--model", "orchards").strip() == "there are no experiments"


def test_a_split_is_ramped_up_and_shows_its_ratio(warehouse):
    started("--mode", "split", "--share", "0.1")
    assert "treatments get 50% of units" in said("ramp", "learned", "--share", "0.5", "--why", "no complaints")
    said("run", "learned")
    assert "sample ratio of all units: as planned" in said("report", "learned")


def test_a_planned_size_follows_from_what_is_to_be_detected(warehouse, store):
    keep(warehouse, store, fields())
    options = ["--model", "fields", "--treatment", "2", "--why", "new", "--detect"]
    assert "rows, by the spread of 300 labelled rows" in said("start", "small", *options, "0.01")


def test_a_stopped_experiment_is_listed_as_stopped(warehouse):
    started()
    said("stop", "learned", "--why", "called off")
    assert json.loads(said("list", "--json"))["experiments"][0]["state"] == "stopped"


def test_a_decision_is_confirmed_and_has_a_reason(warehouse):
    started()
    assert "say so with --yes" in mistake("decide", "learned", "--for", "2", "--why", "better")
    assert "--why is empty" in mistake("decide", "learned", "--for", "2", "--why", " ", "--yes")
    assert champion(warehouse, "fields").version == "1"


def test_a_model_that_no_file_declares_is_an_error_that_names_those_declared(warehouse):
    options = ["--treatment", "2", "--size", "9", "--why", "new"]
    assert "no file declares the model orchards; declared: fields" in mistake(
        "start", "a", "--model", "orchards", *options
    )
