"""The server's loop: a request is answered by the number of the process forked for it, and at its end by its exit code.

It imports nothing of the project but itself, which what is forked forgets. It listens at its standard input. The first
connection is that of the process that started it, which learns when the libraries are there: it ends when that process
does, and so the server.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

#: A client sends its request at once.
_REQUEST_SECONDS = 10.0
#: Standard input, output and error of what is forked.
_STREAMS = 3
#: The name of this process, of which the system keeps fifteen characters.
_COMMAND = Path("/proc/self/comm")

Request = dict[str, Any]


def serve(libraries: str) -> Request | None:
    """Import the libraries, then fork for every request. Returns the request in what was forked for it, and None in the
    server when that ends."""
    server = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    import_module(libraries)
    gc.freeze()  # else the first collection of each process copies all that is shared
    return _Loop(server).run()


class _Loop:
    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._owner, _ = server.accept()
        self._owner.sendall(b"\n")
        self._clients: dict[int, socket.socket] = {}
        self._wakes, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake = wake
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> Request | None:
        with selectors.DefaultSelector() as ready:
            for source in (self._server.fileno(), self._wakes, self._owner.fileno()):
                ready.register(source, selectors.EVENT_READ)
            while True:
                sources = {key.fd for key, _ in ready.select()}
                if self._wakes in sources:
                    self._report()
                if self._server.fileno() in sources and (request := self._answer()):
                    return request
                if self._owner.fileno() in sources:
                    return None

    def _answer(self) -> Request | None:
        client, _ = self._server.accept()
        try:
            client.settimeout(_REQUEST_SECONDS)
            _, streams, _, _ = socket.recv_fds(client, 1, _STREAMS)
            with client.makefile("rb") as lines:
                request: Request = json.loads(lines.readline())
        except (OSError, ValueError):
            client.close()
            return None
        client.settimeout(None)
        pid = os.fork()
        if pid == 0:
            self._become(request, client, streams)
            return request
        self._clients[pid] = client
        for stream in streams:
            os.close(stream)
        try:
            os.setpgid(pid, request["group"])
        except PermissionError:  # a client of another session, which closes the connection
            _send(client, {"pid": 0})
        else:
            _send(client, {"pid": pid})
        return None

    def _become(self, request: Request, client: socket.socket, streams: list[int]) -> None:
        """In what was forked: nothing of the server's is left. It goes on when the client has noted who it is."""
        _COMMAND.write_text(request["name"])
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        if client.recv(1) != b"\n":
            os._exit(1)
        for one in (client, self._server, self._owner, *self._clients.values()):
            one.close()
        os.close(self._wakes)
        os.close(self._wake)
        os.environ.clear()
        os.environ.update(request["environment"])
        for name in [name for name in sys.modules if name.partition(".")[0] == "lastmile"]:
            del sys.modules[name]
        invalidate_caches()  # what the server knows of folders may be older than the code in them
        gc.enable()

    def _report(self) -> None:
        """Collect those that have ended, and tell their clients how: negative is the signal that killed it."""
        with suppress(BlockingIOError):
            os.read(self._wakes, 4096)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                self._tell(*ended)

    def _tell(self, pid: int, status: int) -> None:
        client = self._clients.pop(pid)
        _send(client, {"code": os.waitstatus_to_exitcode(status)})
        client.close()


def _send(client: socket.socket, answer: dict[str, int]) -> None:
    try:
        client.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        return  # it is no longer interested
