"""Starting a fork server ahead of what is forked from it, and ending it.

One that is started by a process that knows of another is forked from that and has its libraries already.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from select import select

from lastmile.orchestration.forks.client import ADDRESS, Forked, fork

_STANDARD_OUTPUT = 1
_MODULE = "lastmile.orchestration.forks"
#: Where processes can be forked: macOS's frameworks survive no fork.
CAN_FORK = sys.platform == "linux"


class ForkServer:
    """A server that imports the module `libraries`, and its address. It ends when this process does.

    What a server that `is_apart` forks has no terminal, and is in groups of its own; other servers are in the group of
    this process. Where it cannot be, everything goes on without it.
    """

    def __init__(self, libraries: str, environment: Mapping[str, str], log: Path | None, is_apart: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lastmile-forks-", ignore_cleanup_errors=True)
        self._libraries, self._environment = libraries, dict(environment)
        self._output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if log else os.dup(_STANDARD_OUTPUT)
        self.variables = {ADDRESS: str(Path(self._folder.name, "socket"))}
        self._owner = socket.socket(socket.AF_UNIX)
        self._process = self._started(is_apart)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether it has imported the libraries, so that it forks at once."""
        return self.is_alive() and bool(select([self._owner], [], [], 0)[0])

    def stop(self) -> None:
        """End it. What was forked from it goes on."""
        self._owner.close()
        self._process.terminate()
        self._process.wait()
        os.close(self._output)
        self._folder.cleanup()

    def _started(self, is_apart: bool) -> "Forked | subprocess.Popen[bytes]":
        """Its standard input is the socket it listens at; it ends when the first connection does, which is ours."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.variables[ADDRESS])
            listening.listen()
            self._owner.connect(self.variables[ADDRESS])
            source, output, arguments = listening.fileno(), self._output, [self._libraries]
            try:
                return fork("fork server", _MODULE, arguments, self._environment, output, is_apart, source)
            except OSError:
                return subprocess.Popen(
                    [sys.executable, "-m", _MODULE, *arguments],
                    env=self._environment,
                    stdin=source,
                    stdout=output,
                    stderr=output,
                    start_new_session=is_apart,
                )
