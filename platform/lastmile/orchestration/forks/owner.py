"""Starting the fork server ahead of what is forked from it, and ending it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lastmile.orchestration.forks.client import ADDRESS

_LIBRARIES = "lastmile.orchestration.forks.libraries"
#: A server that lived shorter cannot serve here, and is not tried again.
_QUICK_SECONDS = 60.0


class ForkServer:
    """The server and its socket, whose address stays the same when it is started again. It ends with this process."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lastmile-forks-", ignore_cleanup_errors=True)
        self._address = str(Path(self._folder.name, "socket"))
        self._environment, self._log = environment, log
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0
        if sys.platform == "linux":
            self._start()

    @property
    def variables(self) -> dict[str, str]:
        """By which its clients find it."""
        return {ADDRESS: self._address} if self._process else {}

    def revive(self) -> None:
        """Start it again where it has died, unless it did so quickly: then everything goes on without it."""
        if self._process and self._process.poll() is not None and time.monotonic() - self._since > _QUICK_SECONDS:
            self._start()

    def stop(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.terminate()
            self._process.wait()
        self._folder.cleanup()

    def _start(self) -> None:
        Path(self._address).unlink(missing_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listening, self._log.open("ab") as log:
            listening.bind(self._address)
            listening.listen()
            os.set_inheritable(listening.fileno(), True)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lastmile.orchestration.forks", str(listening.fileno()), _LIBRARIES],
                env={**self._environment},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )
        self._since = time.monotonic()


@contextmanager
def forking(environment: Mapping[str, str], log: Path) -> Iterator[ForkServer]:
    """The server, ended at the end; what was forked from it is not."""
    server = ForkServer(environment, log)
    try:
        yield server
    finally:
        server.stop()
