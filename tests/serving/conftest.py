"""The API of a site, answered by a real uvicorn on a port of its own, and keys of every role."""

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from visits import Site

from lastmile.access import keys
from lastmile.access.roles import Role
from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.errors import UserError
from lastmile.serving.app import make_app
from lastmile.serving.server import configured
from lastmile.serving.state import Serving
from lastmile.settings import Settings
from lastmile.settings.api import ApiSettings, Limits

#: Tests send as fast as they can.
GENEROUS = ApiSettings(Limits(rate="100000/second", sign_ins="1000/second"))


@dataclasses.dataclass(frozen=True)
class Api:
    """A running API. Called, it answers without a credential; `to(role)` is a client with a key of that role."""

    url: str
    here: Serving
    app: Any

    def __call__(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        return httpx.request(method, f"{self.url}{path}", timeout=20, **more)

    def key(self, role: Role, **more: Any) -> str:
        if role == "device":
            more.setdefault("datasets", ["visits"])
        with self.here.writing() as connection:
            return keys.create(connection, self.here.secret, f"a {role}", role, "test", **more)[0]

    def to(self, role: Role, **more: Any) -> httpx.Client:
        """Its paths are those below /api/v1."""
        headers = {"Authorization": f"Bearer {self.key(role, **more)}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30)


@contextmanager
def running(here: Serving, **more: Any) -> Iterator[Api]:
    """The app in a thread of this process, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = make_app(here, **more)
    server = uvicorn.Server(configured(app, port))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Api(f"http://127.0.0.1:{port}", here, app)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def here(site: Site, monkeypatch: pytest.MonkeyPatch) -> Serving:
    """What the API of the site stands on; the site's contract is published."""
    monkeypatch.setenv("LASTMILE_DATABASE_URL", site.database_url)  # for the engine's processes
    publish(site.connection, catalogue([site.contract]))
    return Serving(Settings.from_environment(), GENEROUS, site.store, site.database_url)


@pytest.fixture
def api(here: Serving) -> Iterator[Api]:
    with running(here) as api:
        yield api


class NoDagster:
    """Knows no run and launches nothing."""

    def call(self, function: str, **_: Any) -> Any:
        if function.endswith((":find", ":results")):
            return None
        if function.endswith(":page"):
            return []
        raise UserError("there is no Dagster")

    def close(self) -> None:
        pass


@pytest.fixture
def engineer(api: Api) -> Iterator[httpx.Client]:
    with api.to("engineer") as client:
        yield client


@pytest.fixture
def viewer(api: Api) -> Iterator[httpx.Client]:
    with api.to("viewer") as client:
        yield client
