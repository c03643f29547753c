"""Runs and their workers: which process works for a run, and ending runs whose process is gone.

The record is a tag of the run: the worker's number and start time, written when it is launched, and once more by the
worker itself before it begins, should its launcher have died in between.
"""

import json
import os
import signal
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from lastmile.operations.health.database import WORKER_TAG
from lastmile.process import Process

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun


def record_worker(instance: "DagsterInstance", run_id: str, pid: int) -> None:
    """Write down that this process works for the run."""
    instance.add_run_tags(run_id, {WORKER_TAG: json.dumps(asdict(Process.of(run_id, pid)))})


def worker_of(run: "DagsterRun") -> Process | None:
    """The process on record, dead or alive. A retry inherits tags, so what is recorded for another run is none."""
    recorded = run.tags.get(WORKER_TAG)
    worker = Process(**json.loads(recorded)) if recorded else None
    return worker if worker and worker.name == run.run_id else None


def end(instance: "DagsterInstance", run_id: str, why: str) -> None:
    """End the run, canceled where that was under way and failed otherwise, and free its slots; nothing if it ended."""
    from dagster import DagsterRunStatus

    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def end_lost(instance: "DagsterInstance") -> None:
    """End runs whose worker died while they were starting or canceled; run monitoring asks about started ones only."""
    from dagster import DagsterRunStatus, RunsFilter

    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING])):
        worker = worker_of(run)
        if worker and not worker.is_alive():
            end(instance, run.run_id, f"Its worker (process {worker.pid}) is gone.")


def end_all(instance: "DagsterInstance") -> None:
    """End every run that is at work, and its worker first: for when the platform that started them is gone."""
    from dagster import DagsterRunStatus, RunsFilter

    working = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    for run in instance.get_runs(RunsFilter(statuses=working)):
        worker = worker_of(run)
        if worker and worker.is_alive():
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        end(instance, run.run_id, "The platform was gone, and its worker with it.")
