"""Runs over HTTP on Dagster's own instance and code: launched once for a key, followed, cancelled; 503 without them."""

import importlib
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import orjson
import pytest
from dagster_private import workspace_of

from lastmile.access import audit
from lastmile.errors import Unreachable
from lastmile.orchestration.dagster_compat import graphql
from lastmile.orchestration.dagster_compat.graphql import Workspace
from lastmile.serving.engine import following, launching

CODE = """
import dagster as dg

YEARS = dg.StaticPartitionsDefinition(["2019", "2020", "2021"])

@dg.asset(key=["raw", "visits"], partitions_def=YEARS)
def visits() -> None: ...

@dg.asset(key=["marts", "visits_year"], partitions_def=YEARS, deps=[visits])
def visits_year() -> None: ...

@dg.asset(key=["marts", "total"], deps=[visits_year])
def total() -> None: ...

defs = dg.Definitions([visits, visits_year, total])
"""


class InProcess:
    """The engine without its process: the same functions, and JSON on the way."""

    def call(self, function, **arguments):
        module, _, name = function.partition(":")
        answer = getattr(importlib.import_module(module), name)(**orjson.loads(orjson.dumps(arguments)))
        return orjson.loads(orjson.dumps(answer))

    def close(self):
        pass


@pytest.fixture
def instance(here, tmp_path, monkeypatch):
    """Dagster's, with the code above loaded."""
    file = tmp_path / "location.py"
    file.write_text(CODE)

    @contextmanager
    def workspace(instance, _):
        with workspace_of(instance, file) as context:
            yield Workspace(context)

    with dg.DagsterInstance.local_temp() as instance:

        @contextmanager
        def connected():
            yield instance, Path("workspace.yaml")

        monkeypatch.setattr(graphql, "workspace", workspace)
        monkeypatch.setattr(launching, "connected", connected)
        monkeypatch.setattr(following, "connected", connected)
        here._engines["dagster"] = InProcess()
        yield instance


def failed_run(instance):
    @dg.asset
    def broken():
        raise ValueError("Key (hhid)=(KE_12) is there twice")

    return dg.materialize([broken], instance=instance, raise_on_error=False).run_id


def test_a_selection_is_launched_for_a_range_and_followed(instance, engineer, viewer, site):
    wanted = {"select": "raw/visits+", "from": "2019", "to": "2020", "why": "new villages"}
    answer = engineer.post("/runs", json=wanted)
    assert answer.status_code == 202, answer.text
    (launched,) = answer.json()["runs"]
    assert launched["assets"] == ["marts/total", "marts/visits_year", "raw/visits"]
    assert answer.headers["location"] == f"/api/v1/runs/{launched['id']}"
    assert answer.json()["daemon"] == "away"
    found = viewer.get(f"/runs/{launched['id']}").json()
    assert (found["state"], found["kind"], found["why"], found["partitions"], found["wanted"]) == (
        "queued", "backfill", "new villages", {"first": "2019", "last": "2020"}, 5
    )  # fmt: skip
    assert "engineer" in found["who"]
    assert [run["id"] for run in viewer.get("/runs").json()["runs"]] == [launched["id"]]
    (entry,) = [one for one in audit.entries(site.connection, 9) if one["action"] == "launch run"]
    assert (entry["subject"], entry["actor"]) == (launched["id"], found["who"])


def test_the_same_key_launches_once(instance, engineer, site):
    wanted, key = {"select": "marts/visits_year", "partition": "2020"}, {"Idempotency-Key": "tablet-1"}
    first, again = (engineer.post("/runs", json=wanted, headers=key).json()["runs"] for _ in range(2))
    assert [one["id"] for one in first] == [one["id"] for one in again]
    assert (first[0]["is_new"], again[0]["is_new"]) == (True, False)
    assert len(instance.get_backfills()) == 1
    assert [entry["action"] for entry in audit.entries(site.connection, 9)].count("launch run") == 1
    other = engineer.post("/runs", json={**wanted, "partition": "2021"}, headers=key)
    assert (other.status_code, "used for another request" in other.text) == (409, True)
    assert engineer.post("/runs", json=wanted).json()["runs"][0]["is_new"]


def test_what_is_queued_can_be_cancelled_and_what_has_ended_cannot(instance, engineer, viewer):
    wanted = {"select": "marts/total"}
    (launched,) = engineer.post("/runs", json=wanted).json()["runs"]
    assert viewer.post(f"/runs/{launched['id']}/cancel").status_code == 403
    assert engineer.post(f"/runs/{launched['id']}/cancel").status_code == 202
    assert instance.get_backfill(launched["id"]).status.value == "CANCELING"
    done = failed_run(instance)
    refused = engineer.post(f"/runs/{done}/cancel")
    assert (refused.status_code, "only what is queued or running" in refused.json()["detail"]) == (409, True)


def test_results_have_the_assets_with_their_numbers_and_the_checks(instance, viewer):
    @dg.asset(key=["raw", "visits"], check_specs=[dg.AssetCheckSpec("rows_add_up", asset=["raw", "visits"])])
    def visits():
        result = dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description="KE_12 is missing")
        return dg.MaterializeResult(metadata={"rows": 3, "share": float("nan"), "file": "x"}, check_results=[result])

    run = dg.materialize([visits], instance=instance).run_id
    found = viewer.get(f"/runs/{run}/results").json()
    assert found["assets"] == [{"run": run, "asset": "raw/visits", "partition": None, "numbers": {"rows": 3.0}}]
    (check,) = found["checks"]
    assert (check["check"], check["passed"], check["severity"], check["description"]) == (
        "rows_add_up", False, "warn", None
    )  # fmt: skip
    assert (found["run"]["state"], found["run"]["made"], found["is_complete"]) == ("succeeded", 1, True)


def test_results_have_the_drops_that_a_run_ingested(instance, viewer, site):
    @dg.asset
    def ingested(): ...

    run = dg.materialize([ingested], instance=instance).run_id
    site.put_rows("a.csv", "v1,1,1,1,done", "v2,-1,1,1,done")
    site.discover()
    site.take(run_id=run)
    (drop,) = viewer.get(f"/runs/{run}/results").json()["drops"]
    assert (drop["read"], drop["loaded"], drop["quarantined"], drop["state"]) == (2, 1, 1, "loaded")


def test_an_error_that_may_quote_a_value_is_not_shown_to_who_may_not_see_personal_columns(instance, engineer, viewer):
    run = failed_run(instance)
    assert "KE_12" in engineer.get(f"/runs/{run}").json()["error"]
    for path in (f"/runs/{run}", "/runs", f"/runs/{run}/results", f"/runs/{run}/events"):
        answer = viewer.get(path)
        assert (answer.status_code, "KE_12" in answer.text) == (200, False)


def test_events_end_with_the_run(instance, viewer):
    run = failed_run(instance)
    answer = viewer.get(f"/runs/{run}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    name, data, *_ = answer.text.split("\n")
    assert (name, orjson.loads(data.removeprefix("data: "))["state"]) == ("event: state", "failed")


def test_pages_of_runs_show_each_once(instance, engineer, viewer):
    for year in ("2019", "2020", "2021"):
        assert engineer.post("/runs", json={"select": "raw/visits", "partition": year}).status_code == 202
    failed_run(instance)
    seen, before = [], None
    for _ in range(9):
        page = viewer.get("/runs", params={"limit": 1, **({"before": before} if before else {})}).json()
        seen += [run["id"] for run in page["runs"]]
        if (before := page["before"]) is None:
            break
    assert len(seen) == len(set(seen)) == 4
    assert [run["state"] for run in viewer.get("/runs", params={"state": "queued"}).json()["runs"]] == ["queued"] * 3
    assert [run["kind"] for run in viewer.get("/runs", params={"state": "failed"}).json()["runs"]] == ["run"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "say which partitions"),
        ({"datasets": ["visits"], "from": "2019"}, "say which partitions"),
        ({"select": "raw/visits", "datasets": ["visits"], "partition": "2019"}, "say one of"),
        ({"select": "raw/visits", "partition": "2019", "to": "2020"}, "either `partition`"),
        ({"model": "vulnerability", "redo": True}, "a training has no partitions"),
        ({"select": "raw/nothing"}, "no asset is raw/nothing"),
        ({"select": "raw/visits"}, "made by partition"),
        ({"select": "((", "partition": "2019"}, "cannot read the selection"),
        ({"model": "no_such"}, "no file declares the model no_such"),
        ({"sellect": "raw/visits"}, "sellect"),
        ({"select": "raw/\x00"}, "select"),
    ],
)
def test_a_mistake_is_said(instance, engineer, wanted, said):
    answer = engineer.post("/runs", json=wanted)
    assert (answer.status_code in (409, 422), said in answer.json()["detail"]) == (True, True), answer.text
    assert instance.get_backfills() == []


def test_what_does_not_exist_is_not_found(instance, viewer):
    for path in ("/runs/abcdefgh", "/runs/abcdefgh/results", "/runs/abcdefgh/events"):
        assert viewer.get(path).status_code == 404
    assert viewer.get("/runs/drop table").status_code == 404


def test_without_dagster_the_answer_says_what_to_do(engineer):
    for answer in (engineer.get("/runs"), engineer.post("/runs", json={"select": "marts/total"})):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "lastmile up" in answer.json()["detail"]


def test_without_a_code_server_nothing_is_launched(instance, engineer, monkeypatch):
    def away(_):
        raise Unreachable("Dagster's code server does not answer; start `lastmile up`, or wait")

    monkeypatch.setattr(Workspace, "loaded_graph", away)
    answer = engineer.post("/runs", json={"select": "marts/total"})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert instance.get_backfills() == []
