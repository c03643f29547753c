"""Workers forked from a zygote, as a test drives them."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]


class Workers:
    """Starts workers of a module and reports what became of them. `log` has the output of all."""

    def __init__(self, log: Path, environment: Mapping[str, str] | None = None, module: str = "faults.worker") -> None:
        self.log = log
        few_threads = {"OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "1"}
        paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "faults.zygote", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            env=os.environ | few_threads | {"PYTHONPATH": paths} | dict(environment or {}),
            start_new_session=True,
        )
        self._typed = b""
        self._ended: dict[int, int] = {}
        self._stopped: set[int] = set()
        self._started: list[int] = []
        self._told: dict[str, Any] = {}
        self._hear(60, lambda: "ready" in self._told)

    def start(self, job: Mapping[str, Any]) -> int:
        """The process id of a new worker on this job."""
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(json.dumps(job).encode() + b"\n")
        self._zygote.stdin.flush()
        before = len(self._started)
        self._hear(30, lambda: len(self._started) > before)
        return self._started[-1]

    def wait(self, pid: int, seconds: float = 60) -> int | None:
        """The exit code, negative for a signal; None where it stopped itself and waits to be let on."""
        self._hear_of([pid], seconds, lambda: pid in self._ended or pid in self._stopped)
        return None if pid in self._stopped else self._ended[pid]

    def next_stopped(self, pids: Sequence[int], seconds: float = 60) -> int | None:
        """The first of these that stands still; None once all have ended."""
        self._hear_of(pids, seconds, lambda: self._stopped.intersection(pids) or self._ended.keys() >= set(pids))
        return next((pid for pid in pids if pid in self._stopped), None)

    def has_ended(self, pid: int) -> bool:
        self._hear(0, lambda: True)
        return pid in self._ended

    def let_on(self, pid: int) -> None:
        self._stopped.discard(pid)
        os.kill(pid, signal.SIGCONT)

    def kill(self, pid: int) -> None:
        """By SIGKILL; a no-op where it has ended: its number is not reused before it is waited for."""
        if not self.has_ended(pid):
            with suppress(ProcessLookupError):  # it has ended, and is about to be reported
                os.kill(pid, signal.SIGKILL)
            self._stopped.discard(pid)

    def kill_all(self) -> None:
        for pid in set(self._started) - set(self._ended):
            self.kill(pid)
        self._started, self._ended, self._stopped = [], {}, set()

    def run(self, job: Mapping[str, Any], seconds: float = 60) -> int | None:
        return self.wait(self.start(job), seconds)

    def words(self) -> str:
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        os.killpg(self._zygote.pid, signal.SIGKILL)
        self._zygote.wait()

    def _hear_of(self, pids: Sequence[int], seconds: float, until: Any) -> None:
        try:
            self._hear(seconds, until)
        except TimeoutError:
            if seconds >= 10:
                for pid in set(pids) - set(self._ended):
                    os.kill(pid, signal.SIGUSR1)  # it writes to the log where it is
                time.sleep(0.2)
            raise

    def _hear(self, seconds: float, until: Any) -> None:
        assert self._zygote.stdout is not None
        handle, deadline = self._zygote.stdout.fileno(), time.monotonic() + seconds
        while True:
            left = 0 if until() else max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select([handle], [], [], left)
            if not ready and until():
                return
            if not ready:
                raise TimeoutError(f"nothing heard of the worker within {seconds} s; its log is {self.log}")
            more = os.read(handle, 65536)
            if not more:
                raise RuntimeError(f"the zygote has ended:\n{self.words()[-3000:]}")
            *lines, self._typed = (self._typed + more).split(b"\n")
            for line in lines:
                self._take_in(json.loads(line))

    def _take_in(self, told: dict[str, Any]) -> None:
        match told:
            case {"pid": pid}:
                self._started.append(pid)
            case {"ended": pid, "code": code}:
                self._stopped.discard(pid)
                self._ended[pid] = code
            case {"stopped": pid}:
                self._stopped.add(pid)
            case _:
                self._told |= told
