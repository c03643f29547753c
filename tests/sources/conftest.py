"""An API of each test's own, and fetching from it without waiting long."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from orders import Shop, shop_at
from rest_server import Api, api_server

from lastmile.sources import Rest
from lastmile.sources.fetching import Fetched, Report, Task, fetched
from lastmile.sources.rest import client
from lastmile.store import Store


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(client, "_JITTER", 0.01)
    with api_server() as one:
        yield one


class Trying:
    """A source at the API, and what comes of fetching from it."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api, self.folder, self.report = api, folder, Report()

    def source(self, **more: Any) -> Rest:
        said = {"name": "visits", "dataset": "visits", "description": "", "owner": "team:a", "path": "/visits"}
        return Rest(**{**said, "url": self.api.url, **more})

    def fetch(self, begin: str | None = None, reached: str | None = None, **more: Any) -> Fetched:
        self.report = Report()
        task = Task(folder=self.folder, begin=begin, reached=reached, report=self.report)
        return fetched(self.source(**more), task)

    def lines(self, **more: Any) -> list[bytes]:
        return self.fetch(**more).file.read_bytes().splitlines()

    @property
    def said(self) -> str:
        return "\n".join(self.report.events)


@pytest.fixture
def trying(api: Api, tmp_path: Path) -> Trying:
    return Trying(api, tmp_path)


@pytest.fixture
def shop(api: Api, store: Store, database_url: str) -> Iterator[Shop]:
    with shop_at(api, store, database_url) as one:
        yield one
