"""Where the time of a program goes, over all its threads, with nothing to install: a look at every stack now and then.

A thread that waits is seen where it waits, and C code that lets go of the interpreter is seen where it was called.
"""

import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_EVERY_SECONDS = 0.005
#: The threads' CPU is read less often: that takes longer. What a thread uses after the last reading is not seen.
_READ_EVERY_SECONDS = 0.05
_TASKS = Path("/proc/self/task")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """Filled at the end. `places`: share of the looks by `thread: module.function`, the innermost one of the package.

    `threads`: CPU seconds by the name of threads, also of those that ended or are not Python's; only on Linux.
    """

    places: dict[str, float] = field(default_factory=dict)
    threads: dict[str, float] = field(default_factory=dict)


@contextmanager
def sampled(package: str = "lastmile") -> Iterator[Seen]:
    seen, looks, used = Seen(), Counter[str](), dict[tuple[int, str], float]()
    done = threading.Event()
    sampler = threading.Thread(target=_look, args=(package, looks, used, done), name="sampler", daemon=True)
    before = _cpu_of_threads()
    sampler.start()
    yield seen
    done.set()
    sampler.join()
    total = looks.pop("", 1)
    seen.places = {place: count / total for place, count in looks.most_common()}
    for thread, seconds in used.items():
        _, name = thread
        seen.threads[name] = seen.threads.get(name, 0) + seconds - before.get(thread, 0)


def _look(package: str, looks: Counter[str], used: dict[tuple[int, str], float], done: threading.Event) -> None:
    own, read_at = threading.get_ident(), 0.0
    while not done.wait(_EVERY_SECONDS):
        if time.monotonic() - read_at > _READ_EVERY_SECONDS:
            used.update(_cpu_of_threads())
            read_at = time.monotonic()
        looks[""] += 1
        names = {thread.ident: _kind(thread.name) for thread in threading.enumerate()}
        for thread, frame in sys._current_frames().items():
            place = None if thread == own else _innermost(frame, package)
            if place:
                looks[f"{names.get(thread, 'thread')}: {place}"] += 1
    used.update(_cpu_of_threads())


def _innermost(frame: FrameType | None, package: str) -> str | None:
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(f"{package}."):
            return f"{module.removeprefix(f'{package}.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return None


def _cpu_of_threads() -> dict[tuple[int, str], float]:
    """CPU seconds so far, by number and name of the thread."""
    ours = {thread.native_id: thread.name for thread in threading.enumerate()}
    found = {}
    for task in _TASKS.iterdir() if _TASKS.exists() else ():
        with suppress(OSError):  # it ended meanwhile
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            user, system = rest.split()[11:13]
            kind = _kind(ours.get(int(task.name), name))
            found[int(task.name), kind] = (int(user) + int(system)) / _TICK
    return found


def _kind(name: str) -> str:
    """The name of a thread without its number."""
    return re.sub(r"[-_ ]*\d*( \(.*\))?$", "", name)
