"""Load on a server of this machine by wrk: so many connections, each sending its next request when it is answered."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Failed, last_line

_SCRIPT = Path(__file__).parent / "load.lua"


@dataclass(frozen=True)
class Load:
    """Of the requests answered: how many a second, and how long they took in milliseconds."""

    per_second: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    #: Answers that were errors, and connections that failed.
    failed: int
    answered: int


def found_wrk() -> str:
    """Raises Failed where there is none."""
    if wrk := shutil.which("wrk"):
        return wrk
    raise Failed("the load is made by wrk: install it (apt-get install wrk, brew install wrk)")


def load(
    url: str,
    connections: int,
    seconds: float,
    headers: Mapping[str, str],
    body: str | None = None,
    unique: bool = False,
    pause_ms: int = 0,
) -> Load:
    """GET, or POST of the body, in which `@@` is another text each time where it is `unique`; each connection pauses
    for about so long before it sends. Raises Failed."""
    words = [found_wrk(), "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(_SCRIPT)]
    words += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    given = json.dumps({"body": body, "unique": unique, "pause": pause_ms})
    done = subprocess.run(
        [*words, url], capture_output=True, text=True, check=False, env={"LOAD": given, "PATH": "/usr/bin:/bin"}
    )
    line = last_line(done.stdout)
    if done.returncode or not line.startswith("{"):
        raise Failed(last_line(done.stderr) or line)
    return Load(**json.loads(line))
