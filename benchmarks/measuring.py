"""What a program costs: seconds, CPU of its own and of the Postgres that served it, and the most memory it held.

Every contender is a process of its own, so that none finds the imports, caches or memory of another.
"""

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psutil

#: Between two looks at the memory of a program's children; a look takes 2 ms of CPU.
_EVERY_SECONDS = 0.1

#: Characters of a message that fit a table.
_MESSAGE = 200


class Failed(Exception):
    """A program that did not do its work; the message is the last thing it said."""


@dataclass(frozen=True)
class Cost:
    """`seconds` and `cpu` are those of the work, as the program states them; `start_cpu` is what came before: imports.

    `server_cpu` is that of all processes of Postgres meanwhile; `peak_mb` is of the program with its children, and
    `start_mb` what the program held before its work.
    """

    seconds: float
    cpu: float
    start_cpu: float
    server_cpu: float
    peak_mb: float
    start_mb: float = 0
    said: Mapping[str, Any] = field(default_factory=dict)


def measured(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    postmaster: int | None = None,
    patience: float = 1_800,
    folder: Path | None = None,
) -> Cost:
    """Run a program that ends with what `peers.timing.work` prints. Raises Failed where it does not."""
    before, served = _children_cpu(), server_cpu(postmaster)
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        program = subprocess.Popen(
            list(map(str, command)),
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=errors,
            cwd=folder,
            start_new_session=True,
        )
        try:
            tree = _most_memory(program, patience)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        said, complaints = _read(output), _read(errors)
    if program.returncode < 0:
        raise Failed(f"ended by {signal.Signals(-program.returncode).name}")
    if program.returncode:
        raise Failed((last_line(complaints) or last_line(said) or f"ended with {program.returncode}")[:_MESSAGE])
    stated = json.loads(last_line(said))
    return Cost(
        seconds=stated["seconds"],
        cpu=stated["cpu"],
        start_cpu=max(_children_cpu() - before - stated["cpu"], 0.0),
        server_cpu=server_cpu(postmaster) - served,
        peak_mb=max(tree, stated["peak_mb"]),
        start_mb=stated["start_mb"],
        said=stated,
    )


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" \t│╰─╯")]
    return lines[-1] if lines else ""


def server_cpu(postmaster: int | None) -> float:
    """CPU seconds of the server since it started: its own, of the sessions that ended and of those that live."""
    if postmaster is None:
        return 0.0
    server = psutil.Process(postmaster)
    used = sum(server.cpu_times()[:4])  # user, system, and those of children it has waited for
    for child in server.children():
        with suppress(psutil.NoSuchProcess):
            used += sum(child.cpu_times()[:2])
    return used


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _most_memory(program: subprocess.Popen[bytes], patience: float) -> float:
    """MiB that the program and its children held at once, by looking now and then until it ends."""
    deadline, most = time.monotonic() + patience, 0
    while program.poll() is None:
        if time.monotonic() > deadline:
            raise Failed(f"not done after {patience:,.0f} seconds")
        most = max(most, _held(program.pid))
        with suppress(subprocess.TimeoutExpired):
            program.wait(_EVERY_SECONDS)
    return most / 2**20


def _held(pid: int) -> int:
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    held = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            held += process.memory_info().rss
    return held


def _read(file: Any) -> str:
    file.seek(0)
    return str(file.read())
