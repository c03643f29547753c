"""The processes of one installation, distinguished from others that got their number later.

What was started is written down with its start time, so that processes left behind by a killed supervisor are known and
ended by the next `up` or by `down`. Each leads a process group; the group's other members, such as the workers of runs,
may outlive it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from lastmile.errors import UserError
from lastmile.orchestration.forks.client import fork
from lastmile.process import Process
from lastmile.settings.group import load
from lastmile.settings.shutdown import Shutdown

#: Longer than what a process itself may take to end in order.
_MARGIN_SECONDS = 5.0
#: A killed process takes a moment to be gone.
_GONE_SECONDS = 5.0


def start(
    name: str,
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    logs: Path,
    is_forked: bool = False,
) -> Process:
    """Start `python -m <module> <arguments>` in a new process group, its output appended to `<logs>/<name>.log`; one
    that `is_forked` by the fork server, where that is there."""
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("ab") as log:
        if is_forked:
            with suppress(OSError):
                return fork(name, module, arguments, environment, log.fileno(), is_leader=True).process
        popen = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Process.of(name, popen.pid)


def stop(processes: Sequence[Process]) -> None:
    """End the process groups: terminated, then killed after the grace. Every process of the groups is gone afterwards:
    the workers of runs too, which have the grace to finish a drop and to end their run."""
    shutdown = load(Shutdown)
    grace = shutdown.grace_seconds + shutdown.drain_seconds + _MARGIN_SECONDS
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(process.group() for process in processes):
        _reap(processes)
        time.sleep(0.1)
    for process in processes:
        _signal_group(process, signal.SIGKILL)
    deadline = time.monotonic() + _GONE_SECONDS
    while time.monotonic() < deadline and any(process.group() for process in processes):
        _reap(processes)
        time.sleep(0.01)
    _reap(processes)


def _signal_group(process: Process, number: signal.Signals) -> None:
    if process.group():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _reap(processes: Sequence[Process]) -> None:
    for process in processes:
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            continue


def remember(processes: Sequence[Process], file: Path) -> None:
    """Write them down, whole or not at all: a reader may be there because we were killed."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(process) for process in processes]))
    partial.replace(file)


def stop_recorded(file: Path) -> list[Process]:
    """End what a supervisor that is gone left running; returns those of which something was still alive."""
    if not file.exists():
        return []
    remembered = [Process(**entry) for entry in json.loads(file.read_text())]
    left = [process for process in remembered if process.group()]
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
            raise UserError(f"the {process.name} ended while starting; its last output is in {logs / process.name}.log")
        time.sleep(0.1)
    raise UserError(f"the {process.name} did not answer within {seconds:.0f} s; see {logs / process.name}.log")
