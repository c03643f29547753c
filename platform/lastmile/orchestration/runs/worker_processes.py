"""Starting the process of a run: forked in a fraction of a second from one that has the libraries, where it can be.

multiprocessing's fork server has imported `runs.preload` once, which takes 3 CPU-s; it starts with the first worker,
ends after being idle for a while, and is started again when it was killed. Where it cannot serve, and on macOS, whose
frameworks survive no fork, a worker is a new interpreter.
"""

import logging
import os
import signal
import sys
from contextlib import suppress
from importlib import invalidate_caches
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext, ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from threading import Lock, Timer

import psutil

#: The fork server holds 0.2 GB, so it does not wait for work for ever.
IDLE_SECONDS = 600.0
#: What multiprocessing says of a worker whose fork server was killed before it could report.
_UNKNOWN = 255

log = logging.getLogger(__name__)


class WorkerProcesses:
    """The workers that this process has started. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._working: set[BaseProcess] = set()
        self._forking: ForkServerContext = get_context("forkserver")
        self._forking.set_forkserver_preload(["lastmile.orchestration.runs.preload"])
        self._spawning: SpawnContext = get_context("spawn")
        self._can_fork = sys.platform == "linux"
        self._server: int | None = None
        self._idle: Timer | None = None

    def start(self, run_id: str) -> BaseProcess:
        """A process that carries out the run."""
        with self._lock:
            if self._idle:
                self._idle.cancel()
            worker = self._fork(run_id) or _started(self._spawning, run_id)
            self._working.add(worker)
            return worker

    def _fork(self, run_id: str) -> BaseProcess | None:
        if not self._can_fork:
            return None
        try:
            worker = _started(self._forking, run_id)
        except (EOFError, OSError):
            self._can_fork = self._server is not None  # one that has never served is not tried again
            log.warning("the fork server has ended; the worker of run %s is started without it", run_id)
            return None
        self._server = _parent(worker) or self._server
        return worker

    def exit_code(self, worker: BaseProcess) -> int | None:
        """Wait for its end: negative is the signal that killed it; None where the fork server died before it."""
        wait([worker.sentinel])
        with self._lock:  # starting a process collects the exit codes of others, too
            self._working.discard(worker)
            if not self._working and self._server:
                self._idle = Timer(IDLE_SECONDS, self._end_idle_server)
                self._idle.daemon = True
                self._idle.start()
            return None if worker.exitcode == _UNKNOWN else worker.exitcode

    def _end_idle_server(self) -> None:
        with self._lock, suppress(ProcessLookupError, ChildProcessError):
            if self._server and not self._working:
                os.kill(self._server, signal.SIGTERM)
                os.waitid(os.P_PID, self._server, os.WEXITED | os.WNOWAIT)  # multiprocessing collects it


def _started(context: BaseContext, run_id: str) -> BaseProcess:
    worker: BaseProcess = context.Process(  # type: ignore[attr-defined]  # typeshed knows it of each context only
        target=_work, args=(run_id,), name=f"worker of {run_id}"
    )
    worker.start()
    return worker


def _work(run_id: str) -> None:
    invalidate_caches()  # what the fork server knows of folders may be older than the code in them
    from lastmile.orchestration.runs.worker import work

    work(run_id)


def _parent(worker: BaseProcess) -> int | None:
    try:
        return psutil.Process(worker.pid).ppid()
    except psutil.NoSuchProcess:
        return None
