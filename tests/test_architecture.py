"""The walk of one drop in docs/architecture.md: no more files than promised, and files that exist."""

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from visits import checked_site

import lastmile
from lastmile.ingestion import load
from lastmile.store import Store

ENGINE = Path(lastmile.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
#: From the claim of a drop to its row in the ledger.
MAX_FILES = 39


def documented(section: str) -> list[str]:
    text = PAGE.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\d+\. `([\w/]+\.py)`: ", text, re.MULTILINE)


def files_entered(call: Callable[[], object]) -> list[str]:
    """Files of the engine in which a function is called, in the order of the first call."""
    found: dict[str, None] = {}

    def on_call(frame: FrameType, event: str, _: Any) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and frame.f_code.co_name != "<module>" and file.is_relative_to(ENGINE):
            found.setdefault(file.relative_to(ENGINE).as_posix())

    before = sys.getprofile()
    threading.setprofile(on_call)
    sys.setprofile(on_call)
    try:
        call()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)  # type: ignore[arg-type]  # as the library does to reset it
    return list(found)


@pytest.mark.parametrize("rows", [10, 60_000], ids=["small", "large"])
def test_an_ordinary_csv_passes_fewer_than_forty_files_from_its_claim_to_the_ledger(
    rows: int, store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rows > 10:
        monkeypatch.setattr(load, "LARGE_BYTES", 1_000)
    with checked_site(store, database_url) as site:
        site.put_rows("a.csv", *(f"v{number},3,2,1,done" for number in range(rows)))
        discovery = files_entered(site.discover)
        ingestion = files_entered(site.take)
        assert site.states() == ["loaded"]
    assert len(ingestion) <= MAX_FILES, ingestion
    assert set(discovery) | set(ingestion) <= set(documented("The walk of one drop"))


@pytest.mark.parametrize("section", ["The walk of one drop", "The walk of one prediction"])
def test_each_file_of_a_documented_walk_exists(section: str) -> None:
    walk = documented(section)
    assert len(walk) > 10
    assert [file for file in walk if not (ENGINE / file).exists()] == []
