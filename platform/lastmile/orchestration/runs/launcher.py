"""Dagster's run launcher on one machine: a process per run, of which it is always known whether it lives.

Dagster's own starts workers inside the code server and asks that one about them; killed together they leave a run that
is STARTED for ever and holds its slot. Here the daemon starts the worker, waits for its end, and ends the run at once
where the worker could not. The worker's number and start time are a tag of the run, so a daemon that comes up later can
tell too: from run monitoring, and where that does not ask, from `lost_runs`. A run goes on while code server and daemon
die and return.
"""

import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

from dagster import DagsterInstance, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from lastmile.orchestration.runs.fork_server import Ended, ForkServer
from lastmile.orchestration.runs.workers import end, record_worker, worker_of
from lastmile.process import Process

#: A canceled run's worker has this long to end by itself.
GRACE_SECONDS = 20.0

log = logging.getLogger(__name__)


class LocalRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Named in dagster.yaml. Every process of the installation may ask it; the daemon launches."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._fork_server: ForkServer | None = None
        #: On macOS, frameworks of the system survive no fork. A server that cannot serve is not tried again.
        self._can_fork = sys.platform == "linux"
        self._starting = Lock()
        self._last_end = -math.inf
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

    def seconds_since_an_end(self) -> float:
        """How long ago a worker that was launched here ended; infinite where none has."""
        return time.monotonic() - self._last_end

    def launch_run(self, context: LaunchRunContext) -> None:
        run_id = context.dagster_run.run_id
        pid, wait = self._start(run_id)
        try:
            record_worker(self._instance, run_id, pid)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        Thread(target=self._see_to_the_end, args=(pid, wait, run_id), name=f"worker of {run_id}", daemon=True).start()

    def _start(self, run_id: str) -> tuple[int, Callable[[], int]]:
        """The worker's number, and what waits for its exit code."""
        if self._can_fork:
            with self._starting:
                if self._fork_server is None or self._fork_server.has_ended:
                    self._fork_server = ForkServer()
            try:
                forked = self._fork_server.fork(run_id)
            except Ended:
                self._can_fork = self._fork_server.has_served
                log.warning("the fork server has ended; the worker of run %s is started without it", run_id)
            else:
                return forked.pid, forked.code.result
        worker = subprocess.Popen(
            [sys.executable, "-m", "lastmile.orchestration.runs.worker", run_id], stdin=subprocess.DEVNULL
        )
        return worker.pid, worker.wait

    def _see_to_the_end(self, pid: int, wait: Callable[[], int], run_id: str) -> None:
        try:
            code = wait()
        except Ended:
            return  # the worker goes on; run monitoring and `lost_runs` look after it
        finally:
            self._last_end = time.monotonic()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        try:
            end(self._instance, run_id, f"Its worker (process {pid}) {how}.")
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
        Thread(target=_stop, args=(worker,), name=f"end of {run_id}", daemon=True).start()
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


def _stop(worker: Process) -> None:
    """Ask it to end, then make it. It is not waited for, since only its parent may learn how it ended."""
    with suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while worker.is_alive():
            if time.monotonic() > deadline:
                os.kill(worker.pid, signal.SIGKILL)
            time.sleep(0.1)
