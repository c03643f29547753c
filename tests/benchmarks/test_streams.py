"""The benchmark of streams, at a size that says nothing of speed."""

from pathlib import Path

import pytest

from benchmarks.bench import Bench
from benchmarks.results import screen
from benchmarks.sections import stream_commits, streams
from benchmarks.site import opened
from benchmarks.surveys import Surveys


def test_every_contender_commits_all_events(tmp_path: Path) -> None:
    console = screen(stderr=True)
    with opened() as site:
        speeds, latency, behind = streams.run(Bench(site, Surveys(tmp_path, console), 5_000, 1, console))
    assert [row for row in speeds.rows if "note" in row] == []
    assert len(speeds.rows) == 5
    assert latency.rows[0]["events"]
    assert [row["events that wait"] for row in behind.rows] == [5_000 * times for times in streams.BEHIND]


def test_processes_commit_next_to_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_commits, "_KEYS", (10,))
    monkeypatch.setattr(stream_commits, "_PROCESSES", (2,))
    console = screen(stderr=True)
    with opened() as site:
        (found,) = stream_commits.run(Bench(site, Surveys(tmp_path, console), 5_000, 1, console))
    assert [row["whose"] for row in found.rows] == ["own", "shared"]
