"""Workers in a fraction of a second: forked from a process that has imported the libraries once, which takes 3 CPU-s.

What is not a library, each worker imports anew: a run is always of the code as it is. A fork has no thread but the one
that forked, so a library that starts threads it cannot do without must not be among them; the server looks, and then
refuses to serve. It ends with the process that started it, or when it has nothing to do; workers go on without it.
"""

import gc
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

#: What most runs need. Training's are left out: two runs in a dozen need them, and each worker would hold 70 MB more.
LIBRARIES = (
    "dagster._grpc.impl", "dagster_dbt", "dagster_postgres", "pandera.polars", "obstore", "pgpq",
    "polars", "psycopg", "pyarrow.parquet", "python_calamine",
)  # fmt: skip
#: Threads of an allocator and of polars' spilling, which a worker can do without. Those with no name of their own have
#: the program's: the main one, and OpenBLAS's, which a fork makes anew.
_HARMLESS = {"jemalloc_bg_thd", "polars-ooc-clea"}
#: It holds 0.2 GB, so it does not wait for ever.
IDLE_SECONDS = 600.0


class Ended(Exception):
    """The server is gone, and what became of its workers cannot be told by it."""


@dataclass(frozen=True)
class Worker:
    """A forked process and, once it ended, its exit code: negative the signal that killed it."""

    pid: int
    code: "Future[int]" = field(default_factory=Future)


class ForkServer:
    """The server's process, as whoever started it sees it."""

    def __init__(self) -> None:
        self._channel, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-m", "lastmile.orchestration.fork_server", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._forked: SimpleQueue[Worker | None] = SimpleQueue()
        self._lock = Lock()
        self.has_ended = self.has_served = False
        Thread(target=self._listen, name="fork server", daemon=True).start()

    def fork(self, run_id: str) -> Worker:
        """A worker for the run, when the server has come up. Raises Ended where there is none to be had."""
        with self._lock:
            try:
                self._channel.send(run_id)
            except OSError as error:
                raise Ended from error
            worker = self._forked.get()
        if worker is None:
            raise Ended
        self.has_served = True
        return worker

    def _listen(self) -> None:
        workers: dict[int, Worker] = {}
        try:
            while True:
                pid, code = self._channel.recv()
                if code is None:
                    self._forked.put(workers.setdefault(pid, Worker(pid)))
                else:
                    workers.pop(pid).code.set_result(code)
        except (EOFError, OSError):
            self.has_ended = True
            self._forked.put(None)
            for worker in workers.values():
                worker.code.set_exception(Ended())
            self._process.wait()


def serve(channel: "Connection[tuple[int, int | None], str]") -> str | None:
    """Fork a worker for each run that is named; returns that name in the worker, and None where the server is done.

    It says `(pid, None)` of each that is forked, and `(pid, exit code)` when it has ended.
    """
    for library in LIBRARIES:
        import_module(library)
    if strange := _threads() - _HARMLESS - {Path("/proc/self/comm").read_text().strip()}:
        print(f"no workers can be forked: a library has started threads: {', '.join(strange)}", file=sys.stderr)
        return None
    gc.freeze()  # else a worker's first collection copies all that is shared
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    working = 0
    while ready := wait([channel, woken], None if working else IDLE_SECONDS):
        if woken in ready:
            os.read(woken, 1000)
            for pid, code in _ended():
                working -= 1
                channel.send((pid, code))
        if channel in ready:
            try:
                run_id = channel.recv()
            except EOFError:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                channel.close()
                os.close(woken)
                os.close(wake)
                invalidate_caches()  # what it knows of folders may be older than the code in them
                return run_id
            working += 1
            channel.send((pid, None))
    return None


def _threads() -> set[str]:
    return {(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}


def _ended() -> list[tuple[int, int]]:
    """The children that have ended since the last look."""
    ended = []
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append((found[0], os.waitstatus_to_exitcode(found[1])))
    except ChildProcessError:
        pass
    return ended


if __name__ == "__main__":
    if run := serve(Connection(int(sys.argv[1]))):
        from lastmile.orchestration.run_worker import work

        work(run)
