"""The processes of one installation: Dagster's code server, daemon and webserver, each in a process group of its own.

What was started is written down with its start time, so that processes left behind by a killed supervisor can be told
from strangers that got their number later, and ended by the next `up` or by `down`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from lastmile.errors import UserError

_GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Process:
    """A started process group; `created` is the leader's start time as the system keeps it."""

    name: str
    pid: int
    created: float

    def is_alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def start(name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str], logs: Path) -> Process:
    """Start `python -m <module> <arguments>` in a new process group, its output appended to `<logs>/<name>.log`."""
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        popen = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Process(name, popen.pid, psutil.Process(popen.pid).create_time())


def stop(processes: Sequence[Process]) -> None:
    """End the process groups: asked first, killed after a while. Every process of the groups is gone afterwards."""
    for process in processes:
        if process.is_alive():
            os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and any(process.is_alive() for process in processes):
        _reap(processes)
        time.sleep(0.1)
    for process in processes:
        _kill_group(process)
    _reap(processes)


def _kill_group(process: Process) -> None:
    members = [other.pid for other in psutil.process_iter() if _group_of(other.pid) == process.pid]
    if members:
        os.killpg(process.pid, signal.SIGKILL)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _reap(processes: Sequence[Process]) -> None:
    for process in processes:
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            continue


def remember(processes: Sequence[Process], file: Path) -> None:
    file.write_text(json.dumps([asdict(process) for process in processes]))


def stop_remembered(file: Path) -> list[Process]:
    """End what a supervisor that is gone left running; returns those that were still alive."""
    if not file.exists():
        return []
    left = [process for process in (Process(**entry) for entry in json.loads(file.read_text())) if process.is_alive()]
    stop(left)
    file.unlink()
    return left


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_listening(process: Process, port: int, logs: Path, seconds: float = 120.0) -> None:
    """Return once the port answers. Raises UserError where the process ends first or the time runs out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if not process.is_alive():
            raise UserError(f"the {process.name} ended while starting; its last words are in {logs / process.name}.log")
        time.sleep(0.1)
    raise UserError(f"the {process.name} did not answer within {seconds:.0f} s; see {logs / process.name}.log")
