"""The API of a site, answered by a real uvicorn on a port of its own."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from visits import Site

from lastmile.serving.app import make_app


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Api = Callable[..., Answer]


@pytest.fixture
def api(site: Site) -> Iterator[Api]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(make_app(site.database_url, site.store), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)

    def ask(path: str, method: str = "GET") -> Answer:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.headers["content-type"], answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers["content-type"], error.read().decode())

    yield ask
    server.should_exit = True
    thread.join()
