"""A process that has imported everything once and forks workers from itself: one costs milliseconds, not seconds.

    python -m faults.zygote faults.worker          # the module whose `work` carries out a job

It reads commands as JSON lines from its input and says what became of each worker on its output. It must never use
polars, the store or Postgres itself: their threads would be missing in its children. Importing them starts only threads
that hold nothing while they idle.
"""

import importlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

#: Exit code of a worker that its environment failed, as the engine is meant to tell.
ENVIRONMENT = 75


def main(module: str) -> None:
    work = importlib.import_module(module).work
    assert not any(name.startswith(("polars-0", "tokio")) for name in threads()), "a fork would lack these threads"
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    say(ready=True)
    typed = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 1000)
            reap()
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                os.killpg(0, signal.SIGKILL)
            *lines, typed = (typed + more).split(b"\n")
            for line in lines:
                say(pid=fork(work, json.loads(line), (woken, wake)))


def threads() -> list[str]:
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


def fork(work: Callable[[dict], bool], job: dict, closing: tuple[int, ...]) -> int:
    if pid := os.fork():
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for handle in closing:
        os.close(handle)
    code = 1
    try:
        code = 0 if work(job) else ENVIRONMENT
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def reap() -> None:
    """Report every child that ended or stopped; a signal as its negative number."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if os.WIFSTOPPED(status):
            say(stopped=pid)
        else:
            say(ended=pid, code=os.waitstatus_to_exitcode(status))


def say(**what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
