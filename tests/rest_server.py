"""An HTTP API on 127.0.0.1 that answers as a test says, faults included, and remembers what it was sent."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Reply:
    """An answer. `cut` closes the connection after so many bytes of the body; `promised` is its Content-Length."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    has_length: bool = True
    delay: float = 0.0

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Request:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Api:
    """`routes` answer by path; what is in `next` answers instead, once each, whatever the path."""

    url: str = ""
    routes: dict[str, Callable[[Request], Reply]] = field(default_factory=dict)
    next: deque[Reply] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.next:
            return self.next.popleft()
        route = self.routes.get(request.path)
        return route(request) if route else Reply({"error": "no such path"}, 404)

    def serve(self, path: str, records: list[Any]) -> None:
        """All of these records, at once."""
        self.routes[path] = lambda request: Reply(records)

    def serve_pages(self, path: str, records: list[Any], parameter: str = "page", size: int = 10) -> None:
        """By number, from 1 on; empty behind the last."""

        def page(request: Request) -> Reply:
            number = int(request.params.get(parameter, "1"))
            return Reply(records[(number - 1) * size : number * size])

        self.routes[path] = page


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            self._answer({name: values[0] for name, values in parse_qs(self.rfile.read(size).decode()).items()})

        def _answer(self, form: dict[str, str]) -> None:
            parts = urlsplit(self.path)
            params = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = api.answer(Request(self.command, parts.path, params, headers, form))
            if reply.delay:
                threading.Event().wait(reply.delay)
            try:
                self._send(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            length = {"Content-Length": str(len(reply.data))} if reply.has_length else {"Connection": "close"}
            self.send_response(reply.status)
            for name, value in {**reply.headers, **length}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.data[: reply.cut])
            if reply.cut is not None or not reply.has_length:
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_WR)

        def log_message(self, *_: Any) -> None:
            """The test says what is of interest."""

    return Handler


@contextmanager
def api_server() -> Iterator[Api]:
    api = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
