"""Requesting processes of the fork server, from any process of the platform; its address is in the environment.

Where there is none, as on macOS, whose frameworks survive no fork, or where it has died, they are new interpreters.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lastmile.process import Process

#: Names the server's socket to what the platform starts.
ADDRESS = "LASTMILE_FORKS"
_POLL_SECONDS = 0.2


@dataclass
class Forked:
    """A process that the server has forked, as `subprocess.Popen` has one of its own."""

    process: Process
    _answers: BinaryIO

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> bool | None:
        """None while it runs."""
        return None if self.process.is_alive() else True

    def wait(self) -> int | None:
        """Its exit code, once it has ended; None where the server died before it."""
        answer = b""
        with suppress(ConnectionError):
            answer = self._answers.readline()
        while not answer and self.process.is_alive():
            time.sleep(_POLL_SECONDS)
        return json.loads(answer)["code"] if answer else None

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


def fork(
    name: str,
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: int,
    is_leader: bool,
    standard_input: int | None = None,
) -> Forked:
    """`python -m <module> <arguments>` by the server that `environment` names, its output to a file that is open.

    It leads a process group of its own or is of that of the caller. Raises OSError where no server answers.
    """
    if not (address := environment.get(ADDRESS)):
        raise FileNotFoundError("no fork server")
    group = 0 if is_leader else os.getpgid(0)
    request = {
        "name": name,
        "module": module,
        "arguments": [*arguments],
        "environment": {**environment},
        "group": group,
    }
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(address)
        with Path(os.devnull).open() as nothing:
            streams = [nothing.fileno() if standard_input is None else standard_input, output, output]
            socket.send_fds(server, [b"\n"], streams)
        server.sendall(json.dumps(request).encode() + b"\n")
        answers = server.makefile("rb")
        answer = answers.readline()
        if not answer or not (pid := json.loads(answer)["pid"]):
            raise ConnectionResetError("the fork server has ended, or forks for processes of its own session only")
        forked = Forked(Process.of(name, pid), answers)
        server.sendall(b"\n")
        return forked
    finally:
        server.close()  # `answers` keeps the connection
