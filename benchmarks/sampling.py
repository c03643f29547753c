"""Where the time of a program goes, over all its threads, with nothing to install: a look at every stack now and then.

A thread that waits is seen where it waits, and C code that lets go of the interpreter is seen where it was called.
"""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_EVERY_SECONDS = 0.005


@contextmanager
def sampled(package: str = "lastmile") -> Iterator[dict[str, float]]:
    """Fills, at the end, share of the looks by `thread: module.function`, the innermost one of the package."""
    seen: dict[str, float] = {}
    counted: Counter[str] = Counter()
    done = threading.Event()
    sampler = threading.Thread(target=_look, args=(package, counted, done), daemon=True)
    sampler.start()
    yield seen
    done.set()
    sampler.join()
    looks = counted.pop("", 1)
    seen |= {place: count / looks for place, count in counted.most_common()}


def _look(package: str, counted: Counter[str], done: threading.Event) -> None:
    own = threading.get_ident()
    while not done.wait(_EVERY_SECONDS):
        counted[""] += 1
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for thread, frame in sys._current_frames().items():
            place = None if thread == own else _innermost(frame, package)
            if place:
                counted[f"{names.get(thread, 'thread')}: {place}"] += 1


def _innermost(frame: FrameType | None, package: str) -> str | None:
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(f"{package}."):
            return f"{module.removeprefix(f'{package}.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return None
