"""A run killed at whichever of its steps is made again, and what follows from its drops is complete and consistent."""

import json
import os
import signal

import psutil
import psycopg
import pytest
from end_to_end.installation import rows, small_sample_made, wait_for

from lastmile.embedded import postgres
from lastmile.operations.audit import violations
from lastmile.orchestration.runs.workers import WORKER_TAG

DATASETS = ("crop", "hhinfo", "lstk", "lstk_prod")
STEPS = (
    "raw__hhinfo",
    "ingest_lstk",
    "warehouse_by_year_from_2010",
    "warehouse_tables",
    "features__household_vulnerability",
    "predictions__vulnerability",
    "reports__vulnerability",
)
#: No run is under way and none has ended within the last seconds, in which another could be requested.
QUIET = """
    SELECT NOT EXISTS (SELECT FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')
        OR end_time > extract(epoch FROM now()) - 75)
    AND NOT EXISTS (SELECT FROM ledger.drops WHERE state IN ('discovered', 'claimed'))
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with small_sample_made(tmp_path_factory.mktemp("chain") / "home", 600) as one:
        yield one


@pytest.mark.flow
@pytest.mark.parametrize(("number", "step"), enumerate(STEPS), ids=STEPS)
def test_a_run_killed_at_a_step_ends_in_the_same_state_as_any_other(platform, number, step):
    ((newest,),) = rows(platform, "SELECT max(id) FROM dagster.event_logs")
    platform.run("sample", "household_survey", "--size", "60", "--seed", str(100 + number), "--partitions", "2021")
    begun = (
        "SELECT run_id FROM dagster.event_logs WHERE id > %s AND step_key = %s AND dagster_event_type = 'STEP_START'"
    )
    ((run,),) = wait_for(lambda: rows(platform, f"{begun} LIMIT 1", newest, step), 180, every=0.05)
    ((worker,),) = rows(platform, "SELECT value FROM dagster.run_tags WHERE run_id = %s AND key = %s", run, WORKER_TAG)
    os.kill(json.loads(worker)["pid"], signal.SIGKILL)
    wait_for(lambda: rows(platform, "SELECT status FROM dagster.runs WHERE run_id = %s", run) == [("FAILURE",)], 60)
    wait_for(lambda: rows(platform, QUIET) == [(True,)], 600, every=2)
    assert_complete(platform, newest)


def assert_complete(platform, since):
    """Every row of every drop is where it belongs, and the report was made after all that it shows."""
    with psycopg.connect(postgres.running(platform.home / "postgres"), autocommit=True) as connection:
        assert [fault for dataset in DATASETS for fault in violations(connection, dataset)] == []
    households = ("raw.hhinfo", "marts.dim_household", "features.household_vulnerability", "predictions.vulnerability")
    assert len({rows(platform, f"SELECT count(*) FROM {table}")[0] for table in households}) == 1
    versions = "SELECT DISTINCT model_version FROM predictions.vulnerability"
    newest = "SELECT version FROM registry.deployments WHERE name = 'vulnerability'"
    assert rows(platform, versions) == rows(platform, newest)
    made = (
        "SELECT max(id) FROM dagster.event_logs WHERE asset_key = %s AND dagster_event_type = 'ASSET_MATERIALIZATION'"
    )
    in_order = ('["cleaned", "hhinfo"]', '["predictions", "vulnerability"]', '["reports", "vulnerability"]')
    ids = [rows(platform, made, key)[0][0] for key in in_order]
    assert since < ids[0] < ids[1] < ids[2]
    assert psutil.pid_exists(json.loads((platform.home / "processes.json").read_text())[0]["pid"])
    status = json.loads(platform.run("status", "--json"))
    assert status["backlog"] == 0
    assert not status.get("failures")
