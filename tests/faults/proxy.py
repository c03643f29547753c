"""A proxy before an object store that answers 500 and 503, is slow, resets connections and cuts bodies short.

It passes on whatever HTTP/1.1 request it gets, headers and all, so that conditional requests and ranges work through
it. What it does wrong is drawn from a seed, request by request; `calm` ends it.
"""

import socket
import struct
import threading
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any, Literal, Self
from urllib.parse import urlparse

Fault = Literal["500", "503", "slow", "reset", "reset while answering", "cut body", "short body"]
FAULTS: tuple[Fault, ...] = ("500", "503", "slow", "reset", "reset while answering", "cut body", "short body")
_PER_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Proxy:
    """Runs while entered. `share` of the requests go wrong in one of the ways `faults`; `happened` counts them."""

    def __init__(self, target: str) -> None:
        self.target = urlparse(target).netloc
        self.faults: tuple[Fault, ...] = FAULTS
        self.share = 0.0
        self.only = ""
        self.happened: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self._random, self._lock = Random(0), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def disturb(self, random: Random) -> None:
        """From now on some requests go wrong, by these numbers; in every third case none does."""
        with self._lock:
            self._random = Random(random.random())
            self.share = random.choice([0, 0.05, 0.3])

    def calm(self) -> None:
        self.share = 0.0

    def draw(self, method: str, path: str) -> Fault | None:
        with self._lock:
            if self.only and self.only not in f"{method} {path}":
                return None
            if self._random.random() >= self.share:
                return None
            fault = self._random.choice(self.faults)
            self.happened[fault] += 1
            return fault

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def handle_any(self) -> None:
        body = self._body()
        fault = self.proxy.draw(self.command, self.path)
        if fault in ("500", "503"):
            self._answer(int(fault), [("Content-Type", "application/xml")], _ERROR[fault])
        elif fault == "reset":
            self._reset()
        else:
            if fault == "slow":
                threading.Event().wait(0.2)
            self._pass_on(body, fault)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _pass_on(self, body: bytes, fault: Fault | None) -> None:
        upstream = HTTPConnection(self.proxy.target, timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _PER_CONNECTION:
                    upstream.putheader(name, value)
            if body or self.command in ("PUT", "POST"):
                upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        self._give(answer, content, fault)

    def _give(self, answer: HTTPResponse, content: bytes, fault: Fault | None) -> None:
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _PER_CONNECTION]
        length = answer.getheader("Content-Length")
        if self.command == "HEAD":
            self._answer(answer.status, headers, b"", length)
        elif fault in ("cut body", "reset while answering") and content:
            self._answer(answer.status, headers, content[: len(content) // 2], str(len(content)))
            self._reset() if fault == "reset while answering" else self._hang_up()
        elif fault == "short body" and content:
            self._answer(answer.status, headers, content[: len(content) // 2])
        elif fault == "reset while answering":
            self._reset()
        else:
            self._answer(answer.status, headers, content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: str | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


_ERROR = {
    "500": b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>",
    "503": b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
}
