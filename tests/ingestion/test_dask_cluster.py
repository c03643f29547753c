"""Drops ingested on a Dask cluster end as those ingested in one process, even where a worker is killed."""

import os
import signal
from dataclasses import replace

import dagster as dg
import pytest
from distributed import LocalCluster
from visits import VISITS, YEARS, checked_site

from lastmile import ledger
from lastmile.errors import UserError
from lastmile.ingestion import parallel
from lastmile.ingestion.dask_cluster import WorkerContext, ingest_on_dask
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.resources import Platform

DROPS = 30


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers that find the contract of visits by its package's name, as they do in an installation."""
    package = tmp_path_factory.mktemp("contracts") / "visits_assets" / "field" / "contracts"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parents[1]):
        (folder / "__init__.py").touch()
    (package / "visits.py").write_text("from visits import VISITS as contract\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(package.parents[2])
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
            yield local


@pytest.fixture
def here(store, database_url):
    with checked_site(store, database_url) as site:
        yield site


@pytest.fixture
def context(settings):
    return WorkerContext(replace(settings, assets="visits_assets"), "visits", VISITS.version)


def put_many(site):
    for number in range(DROPS):
        rows = [f"v{number}-{row},{row % 70},2,1,done" for row in range(60)]
        site.put_rows(f"{number:02}.csv", *rows, year=YEARS[number % 3])
    site.put_rows("refused.csv", year="2020")
    site.put("unfit.csv", "persons\n3\n")
    site.discover()


def state_of(site):
    return (
        site.query(
            "SELECT key, state, message, rows_read, rows_loaded, rows_quarantined FROM ledger.drops ORDER BY key"
        ),
        site.query("SELECT visit, persons, _line, _partition_start FROM raw.visits ORDER BY visit"),
        site.query("SELECT partition, raw, line, reasons FROM quarantine.rows ORDER BY raw, line"),
    )


@pytest.mark.behaviour(number=13)
def test_a_worker_killed_midway_does_not_change_the_result(here, context, cluster):
    put_many(here)
    workers = list(cluster.workers.values())
    victim = workers[0].pid

    def kill_once(drop, outcome):
        if workers[0].pid == victim and kill_once.is_due:
            os.kill(victim, signal.SIGKILL)
            kill_once.is_due = False

    kill_once.is_due = True
    outcomes = ingest_on_dask(cluster.scheduler_address, context, YEARS, "dask", report=kill_once, drops_per_task=3)
    assert not kill_once.is_due
    assert DROPS + 2 - 3 <= len(outcomes) <= DROPS + 2  # the rest was committed after the worker's last report
    on_dask = state_of(here)
    here.query("UPDATE ledger.drops SET retake = '{}' RETURNING id")
    here.take()
    assert on_dask == state_of(here)


def test_a_redo_ingests_each_drop_once_although_many_tasks_execute_it(here, context, cluster):
    put_many(here)
    here.take()
    outcomes = ingest_on_dask(
        cluster.scheduler_address, context, YEARS, "redo", ledger.now(here.connection), drops_per_task=5
    )
    assert len(outcomes) == DROPS + 2
    assert here.query("SELECT count(DISTINCT id) AS redone FROM ledger.drops WHERE run_id = 'redo'") == [
        {"redone": DROPS + 2}
    ]


def test_a_worker_with_another_contract_ingests_nothing(here, context, cluster):
    put_many(here)
    with pytest.raises(UserError, match=r"expected its contract in version older .*Deploy the same code"):
        ingest_on_dask(cluster.scheduler_address, replace(context, contract_version="older"), YEARS, "dask")
    assert set(here.states()) == {"discovered"}


def test_an_unreachable_scheduler_is_reported(context, monkeypatch):
    monkeypatch.setattr("lastmile.ingestion.dask_cluster.TIMEOUT_SECONDS", 1)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9:"):
        ingest_on_dask("tcp://127.0.0.1:9", context, YEARS, "dask")


def test_the_run_of_an_asset_ingests_on_the_cluster_in_the_settings(here, context, cluster, monkeypatch):
    for name, value in {"DASK_SCHEDULER": cluster.scheduler_address, "ASSETS": context.settings.assets}.items():
        monkeypatch.setenv(f"LASTMILE_{name}", value)
    monkeypatch.setattr(parallel, "ingest_in_parallel", None)  # in this process; the workers have their own
    put_many(here)
    with dg.DagsterInstance.ephemeral() as instance:
        assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
        result = dg.materialize(assets, instance=instance, resources={"platform": Platform()}, partition_key="2020")
    assert result.success
    taken = here.query("SELECT DISTINCT partition, run_id FROM ledger.drops WHERE state = 'loaded'")
    assert taken == [{"partition": "2020", "run_id": result.run_id}]
