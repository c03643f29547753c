"""Servers of one model on this machine, each started for one round and stopped after it."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.measuring import Failed


@dataclass(frozen=True)
class Server:
    """How it is started, where it is ready, and what a prediction of it is: path and body."""

    name: str
    command: Sequence[str]
    port: int
    ready: str
    path: str
    body: str
    headers: Mapping[str, str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Running:
    url: str
    process: psutil.Process

    def resident_mb(self) -> float:
        """Of the process and its children, by their own pages (USS), shared ones once."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(one.memory_full_info().uss for one in family) / 2**20


@contextmanager
def started(server: Server, folder: Path, patience: float = 180) -> Iterator[Running]:
    """Raises Failed where it does not come up."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            list(server.command),
            env={**os.environ, **server.environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{server.port}"
    try:
        end = time.monotonic() + patience
        while not _answers(f"{url}{server.ready}"):
            if process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{server.name} did not start: {(folder / 'server.log').read_text()[-500:]}")
            time.sleep(0.1)
        yield Running(url, psutil.Process(process.pid))
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own address
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
