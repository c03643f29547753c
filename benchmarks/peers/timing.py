"""How a program states what its work cost, on its last line: standard library only, it runs in every environment.

    with work() as said:
        said["rows"] = load(...)

The clock runs from here to the end of the block, so imports stand before it. Time and CPU of children count.
"""

import json
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def cpu_seconds() -> float:
    """CPU of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def peak_mb() -> float:
    """The most memory this process held. Not `ru_maxrss` where it can be helped: that begins at the parent's."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def work() -> Iterator[dict[str, Any]]:
    said: dict[str, Any] = {"start_mb": peak_mb()}
    began, used = time.perf_counter(), cpu_seconds()
    yield said
    said |= {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - used, "peak_mb": peak_mb()}
    print(json.dumps(said), flush=True)
