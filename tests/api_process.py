"""The API as a process of its own, which may be killed at any moment."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


class ApiProcess:
    """`python -m lastmile.serving` on a port that stays the same over its lives."""

    def __init__(self, variables: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._variables = os.environ | variables
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "lastmile.serving", str(self.port)]
        self.process = subprocess.Popen(command, env=self._variables)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert self.process.poll() is None
            try:
                httpx.get(f"{self.url}/api/v1/health/live", timeout=5)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it does not answer")

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)

    def peak_memory(self) -> int:
        """Bytes, since it was started."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (peak,) = (line for line in status if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024


@contextmanager
def api_process(**variables: str) -> Iterator[ApiProcess]:
    process = ApiProcess(variables)
    process.start()
    try:
        yield process
    finally:
        process.kill()
