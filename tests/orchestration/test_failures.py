"""A run that failed is told, with why and what to do, until what it was to make is made."""

import io
from contextlib import contextmanager
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from rich.console import Console

from lastmile.cli.progress.live import _conclude
from lastmile.cli.progress.tables import headline
from lastmile.operations.status import summary
from lastmile.orchestration.activity import Activity
from lastmile.orchestration.dagster_compat import graphql
from lastmile.orchestration.failures import standing_failures

YEARS = dg.StaticPartitionsDefinition(["2019", "2020", "2021", "2022"])
REASON = "the disk\x1b[31m is full\x1b[0m\nof surveys"


@pytest.fixture
def broken():
    """Names of the assets that raise."""
    return {"features", "model"}


@pytest.fixture
def run(instance, broken):
    def raising(name):
        if name in broken:
            raise OSError(REASON)

    @dg.asset(key=["features", "hh"], partitions_def=YEARS, backfill_policy=dg.BackfillPolicy.single_run())
    def features() -> None:
        raising("features")

    @dg.asset(key=["models", "poor"])
    def model() -> None:
        raising("model")

    def run(asset, first=None, last=None, **tags):
        chosen = {"features": features, "model": model}[asset]
        ends = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        job = dg.Definitions(assets=[chosen], jobs=[dg.define_asset_job("j", [chosen])]).resolve_job_def("j")
        return job.execute_in_process(
            instance=instance,
            partition_key=first if first and not last else None,
            asset_selection=[chosen.key],
            tags={**(ends if last else {}), **tags},
            raise_on_error=False,
        )

    return run


def told(instance):
    return [(list(found.assets), found.partitions) for found in standing_failures(instance)]


def test_a_failure_says_what_and_why_in_one_line_and_how_to_make_it_again(run, instance):
    failed = run("model")
    (found,) = standing_failures(instance)
    assert str(found) == f"models/poor failed (run {failed.run_id[:8]}): OSError: the disk is full of surveys"
    assert found.command() == """lastmile backfill --select 'key:"models/poor"'"""
    run("features", "2020")
    of_year = standing_failures(instance)[0]
    assert of_year.command() == """lastmile backfill --select 'key:"features/hh"' --from 2020 --to 2020"""


def test_a_failure_is_told_until_its_asset_is_made_for_the_same_partitions(run, instance, broken):
    run("features", "2020")
    run("features", "2021", "2022")
    assert told(instance) == [(["features/hh"], ("2021", "2022")), (["features/hh"], ("2020", "2020"))]
    broken.clear()
    run("features", "2019")
    assert len(told(instance)) == 2
    run("features", "2019", "2021")
    assert told(instance) == [(["features/hh"], ("2021", "2022"))]
    run("features", "2022")
    assert told(instance) == []


def test_what_failed_three_times_is_told_once_and_what_will_be_retried_is_not(run, instance):
    for _ in range(3):
        run("model")
    run("features", "2020", **{"dagster/will_retry": "true"})
    assert told(instance) == [(["models/poor"], None)]


@pytest.fixture
def code(monkeypatch):
    """The keys of the assets that the code has; a failed run may be of one that is gone."""
    keys = {dg.AssetKey(["models", "poor"]), dg.AssetKey(["features", "hh"])}

    @contextmanager
    def loaded(instance, file):
        yield SimpleNamespace(asset_graph=lambda: SimpleNamespace(get_all_asset_keys=lambda: keys))

    monkeypatch.setattr(graphql, "workspace", loaded)
    return keys


def concluded(instance, settings, store, activity):
    printed = io.StringIO()
    running = SimpleNamespace(instance=instance, store=store, settings=settings)
    state = {**NOTHING, "drops": {"loaded": 1}}
    succeeded = _conclude(running, Console(file=printed, width=80), activity, state)
    return succeeded, printed.getvalue()


NOTHING = {"datasets": {}, "rows": dict.fromkeys(("read", "loaded", "quarantined", "duplicate"), 0), "drops": {},
           "models": [], "predictions": {}, "backlog": 0}  # fmt: skip


def test_what_the_code_no_longer_has_is_forgotten(run, instance, settings, store, code):
    run("model")
    code.discard(dg.AssetKey(["models", "poor"]))
    succeeded, printed = concluded(instance, settings, store, Activity(settled=True))
    assert (succeeded, "models/poor" in printed) == (True, False)
    code.clear()  # nothing is loaded, so nothing is known to be gone
    assert not concluded(instance, settings, store, Activity(settled=True))[0]


def test_a_session_that_had_nothing_to_run_still_says_what_failed_before(run, instance, settings, store, broken, code):
    run("model")
    succeeded, printed = concluded(instance, settings, store, Activity(settled=True))
    assert not succeeded
    assert "nothing to do" not in printed
    assert "models/poor failed" in printed
    assert """make it again: lastmile backfill --select 'key:"models/poor"'""" in printed
    broken.clear()
    run("model")
    succeeded, printed = concluded(instance, settings, store, Activity(settled=True))
    assert succeeded
    assert "nothing to do: every drop is settled" in printed


def test_the_conclusion_names_the_report(instance, settings, store, code):
    store.put("reports/vulnerability/latest.html", b"<html>")
    store.put("reports/vulnerability/2026-01-01/run.html", b"<html>")
    _, printed = concluded(instance, settings, store, Activity(settled=True))
    folder = settings.home / "store" / "reports" / "vulnerability" / "latest.html"
    assert f"report  {folder}\n" in printed


def test_failed_runs_are_not_counted_as_done(database_url):
    import psycopg

    with psycopg.connect(database_url) as connection:
        state = summary(connection, "s")
    shown = headline(state, Activity(finished=["a"], failed=["b", "c"]))
    assert shown.endswith("1 done, 2 failed")


def test_only_runs_that_have_ended_are_judged(instance):
    run = dg.DagsterRun("j", asset_selection=frozenset([dg.AssetKey("a")]), status=DagsterRunStatus.STARTED)
    instance.add_run(run)
    assert told(instance) == []
