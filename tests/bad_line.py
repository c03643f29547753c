"""A line to an HTTP server that breaks, delays, repeats and answers for others: what a phone has in the field.

Each connection is for one request, which it reads whole. What happens to the next ones is said beforehand, one fault
each; after that the line is good.
"""

import socket
import socketserver
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Literal, Self
from urllib.parse import urlparse

Fault = Literal[
    "good",
    "no connection",
    "lost request",  # half of it reaches the server
    "lost answer",  # the server did it, and nothing of that comes back
    "cut answer",
    "twice",  # the server gets the request twice, one after the other
    "late",
    "503",
    "portal",  # a hotspot answers instead, and says all is well
    "blocked",  # a proxy answers instead, and says it may not be
]
FAULTS: tuple[Fault, ...] = (
    "no connection",
    "lost request",
    "lost answer",
    "cut answer",
    "twice",
    "late",
    "503",
    "portal",
    "blocked",
)
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)  # fmt: skip
_BLOCKED = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<p>Pay!"
_PORTAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>Hello!"


class BadLine:
    """Runs while entered; `requests` counts what came, `next` says what happens."""

    def __init__(self, url: str) -> None:
        target = urlparse(url)
        self.target = (str(target.hostname), int(target.port or 80))
        self.requests = 0
        self._coming: deque[Fault] = deque()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"line": self})
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._coming = deque(faults)

    def draw(self) -> Fault:
        with self._lock:
            self.requests += 1
            return self._coming.popleft() if self._coming else "good"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(socketserver.BaseRequestHandler):
    request: socket.socket
    line: BadLine

    def handle(self) -> None:
        fault = self.line.draw()
        if fault == "no connection":
            self._reset()
            return
        asked = _read(self.request)
        if not asked:
            return
        if fault == "503":
            self.request.sendall(_BUSY)
        elif fault in ("portal", "blocked"):
            self.request.sendall(_PORTAL if fault == "portal" else _BLOCKED)
        elif fault == "lost request":
            self._pass_on(asked[: len(asked) - len(asked) // 3], broken=True)
            self._reset()
        else:
            if fault == "late":
                time.sleep(0.05)
            if fault == "twice":
                self._pass_on(asked)
            self._give(self._pass_on(asked), fault)

    def _pass_on(self, asked: bytes, broken: bool = False) -> bytes:
        answer = b""
        with socket.create_connection(self.line.target, timeout=30) as upstream:
            upstream.sendall(asked)
            if not broken:
                while some := upstream.recv(65536):
                    answer += some
        return answer

    def _give(self, answer: bytes, fault: Fault) -> None:
        if fault == "lost answer":
            self._reset()
        elif fault == "cut answer":
            self.request.sendall(answer[: len(answer) // 2])
            self._reset()
        else:
            self.request.sendall(answer)

    def _reset(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()


def _read(connection: socket.socket) -> bytes:
    """One request, whose answer ends the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        some = connection.recv(65536)
        if not some:
            return b""
        data += some
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = next((int(one.split(b":")[1]) for one in lines if one.lower().startswith(b"content-length:")), 0)
    if any(one.lower().startswith(b"expect:") for one in lines):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < length:
        some = connection.recv(65536)
        if not some:
            break
        body += some
    kept = [one for one in lines if not one.lower().startswith(b"connection:")]
    return b"\r\n".join([*kept, b"Connection: close", b"", body])
