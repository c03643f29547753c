"""Starting the process of a run: forked in a fraction of a second from one that has the libraries, where it can be.

That server has imported `runs.preload`. It comes up when the first run ends, since others follow soon or none for long,
is ended when it was idle for a while, and started again when it was killed. While there is none, a worker is forked
from the server of the platform's other processes and imports the rest when it needs it. Where neither can serve, and on
macOS, it is a new interpreter.
"""

import logging
import os
import subprocess
import sys
from threading import Lock, Timer

from lastmile.orchestration.forks.client import Forked, fork
from lastmile.orchestration.forks.owner import CAN_FORK, ForkServer

#: The server holds a third of the memory of an idle platform.
IDLE_SECONDS = 180.0
_LIBRARIES, _WORKER = "lastmile.orchestration.runs.preload", "lastmile.orchestration.runs.worker"
_STANDARD_OUTPUT = 1

log = logging.getLogger(__name__)

Worker = Forked | subprocess.Popen[bytes]


class WorkerProcesses:
    """The workers that this process has started. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._working: set[str] = set()
        self._server: ForkServer | None = None
        self._can_fork, self._has_served = CAN_FORK, False
        self._idle: Timer | None = None

    def start(self, run_id: str) -> Worker:
        """A process that carries out the run."""
        with self._lock:
            if self._idle:
                self._idle.cancel()
            worker = self._fork(run_id) or subprocess.Popen([sys.executable, "-m", _WORKER, run_id])
            self._working.add(run_id)
            return worker

    def exit_code(self, worker: Worker, run_id: str) -> int | None:
        """Wait for its end: negative is the signal that killed it; None where the fork server died before it."""
        code = worker.wait()
        with self._lock:
            self._working.discard(run_id)
            if not self._working and self._ensure_server():
                self._idle = Timer(IDLE_SECONDS, self._end_idle_server)
                self._idle.daemon = True
                self._idle.start()
        return code

    def _fork(self, run_id: str) -> Forked | None:
        if self._server is None or not self._server.is_ready():
            try:
                return _forked(run_id, {})
            except OSError:  # the platform has no server: it is worth waiting for ours
                log.debug("run %s waits for the fork server", run_id)
        if (server := self._ensure_server()) is None:
            return None
        try:
            worker = _forked(run_id, server.variables)
        except OSError:
            log.warning("the fork server has ended; the worker of run %s is started without it", run_id)
            self._can_fork = self._has_served  # one that has never served is not tried again
            return None
        self._has_served = True
        return worker

    def _ensure_server(self) -> ForkServer | None:
        if self._server and not self._server.is_alive():
            self._server.stop()
            self._server = None
        if self._server is None and self._can_fork:
            self._server = ForkServer(_LIBRARIES, os.environ, None, is_apart=False)
        return self._server

    def _end_idle_server(self) -> None:
        with self._lock:
            if self._server and not self._working:
                self._server.stop()
                self._server = None


def _forked(run_id: str, server: dict[str, str]) -> Forked:
    return fork(run_id, _WORKER, [run_id], {**os.environ, **server}, _STANDARD_OUTPUT, is_leader=False)
