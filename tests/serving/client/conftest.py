"""A client with a queue of its own, on a line to the API that can go wrong, and what has arrived there."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_line import BadLine
from visits import Site

from lastmile.client import Client, sending


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(sending, "_LONGEST_SECONDS", 0.1)


@pytest.fixture
def line(api: Any) -> Iterator[BadLine]:
    with BadLine(api.url) as line:
        yield line


@pytest.fixture
def key(api: Any) -> str:
    return str(api.key("device"))


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def client(line: BadLine, key: str, queue: Path) -> Iterator[Client]:
    with Client(line.url, key, queue) as client:
        yield client


def arrived(site: Site) -> list[tuple[str, int]]:
    """Record and revision of all that was accepted, in the order of that."""
    rows = site.query("SELECT record, revision FROM submissions.records ORDER BY id")
    return [(row["record"], row["revision"]) for row in rows]


def ingested(site: Site) -> list[dict[str, Any]]:
    """The rows of the table, once all that was accepted is in it."""
    deadline = time.monotonic() + 30
    waiting = (
        "SELECT 1 FROM submissions.records WHERE waiting UNION ALL"
        " SELECT 1 FROM submissions.objects WHERE written < generation"
    )
    while site.query(waiting):
        assert time.monotonic() < deadline, "what was accepted is not gathered"
        time.sleep(0.1)
    site.discover()
    site.take()
    return site.query("SELECT visit, persons FROM raw.visits ORDER BY visit")
