"""Dagster's run launcher on one machine: a process per run, of which it is always known whether it lives.

Dagster's own starts workers inside the code server and relies on that one to know about them; killed together they
leave a run that is STARTED for ever and holds its slot. Here the daemon starts the worker, waits for its end, and ends
the run at once where the worker could not. The worker's number and start time are a tag of the run, so a daemon that
comes up later knows, too: through run monitoring, and for runs that it does not check through `end_lost`. A run goes on
while code server and daemon die and return.
"""

import logging
import os
import signal
import time
from contextlib import suppress
from threading import Thread
from typing import Any

from dagster import DagsterInstance, DagsterRun

from lastmile.orchestration.dagster_compat.launching import (
    CheckRunHealthResult,
    ConfigurableClass,
    ConfigurableClassData,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from lastmile.orchestration.runs.traced import carried
from lastmile.orchestration.runs.worker_processes import Worker, WorkerProcesses
from lastmile.orchestration.runs.workers import end, record_worker, worker_of
from lastmile.process import Process
from lastmile.telemetry.spans import about, continuing, span

#: A canceled run's worker has this long to end by itself.
GRACE_SECONDS = 20.0

log = logging.getLogger(__name__)


class LocalRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Named in dagster.yaml. Every process of the installation may check a run by it; the daemon launches."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._processes = WorkerProcesses()
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster's own

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "LocalRunLauncher":  # noqa: ARG003
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        run_id = context.dagster_run.run_id
        with about(run=run_id), continuing(carried(context.dagster_run)), span("run.launch", run=run_id):
            worker = self._processes.start(run_id)
            try:
                record_worker(self._instance, run_id, worker.pid)
            except BaseException:
                worker.kill()
                raise
        Thread(target=self._end_with, args=(worker, run_id), name=f"end of {run_id}", daemon=True).start()

    def _end_with(self, worker: Worker, run_id: str) -> None:
        """Wait for the worker's end, and end the run where it has not."""
        code = self._processes.exit_code(worker, run_id)
        try:
            end(self._instance, run_id, f"Its worker (process {worker.pid}) {_how(code)}.")
        except Exception:
            # The database may be what killed the worker. Run monitoring ends the run when it is back.
            log.exception("run %s could not be ended", run_id)

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        worker = worker_of(run)
        if worker is None or not worker.is_alive():
            end(self._instance, run_id, "Its worker was gone.")
            return True
        Thread(target=_stop, args=(worker,), name=f"cancellation of {run_id}", daemon=True).start()
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        worker = worker_of(run)
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "no worker has reported for it")
        if not worker.is_alive():
            return CheckRunHealthResult(WorkerStatus.FAILED, f"its worker (process {worker.pid}) is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(worker.pid))


def _how(code: int | None) -> str:
    if code is None:  # the fork server died before it
        return "is gone"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _stop(worker: Process) -> None:
    """Signal it to end, then kill it. It is not waited for, since only its parent may learn how it ended."""
    with suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while worker.is_alive():
            if time.monotonic() > deadline:
                os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.1)
