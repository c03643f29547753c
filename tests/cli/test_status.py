"""`lastmile status`: what a person and a program read."""

import json

import pytest
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.cli.status import duration


@pytest.fixture
def status(site, monkeypatch):
    def status(*arguments, columns=200):
        monkeypatch.setenv("LASTMILE_DATABASE_URL", site.database_url)
        monkeypatch.setenv("LASTMILE_STORE_URL", site.store.url)
        monkeypatch.setenv("COLUMNS", str(columns))
        result = CliRunner().invoke(app, ["status", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    return status


@pytest.mark.behaviour(number=31)
def test_state_lag_and_backlog_are_printed(site, status):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    site.put_rows("b.csv", "v3,3,2,1,done")
    site.discover()
    site.query("UPDATE ledger.drops SET discovered_at = now() - interval '2 h' WHERE id = 2 RETURNING id")
    site.began("2020-06-01")
    printed = status()
    for line in (
        "drops      1 discovered, 1 loaded",
        "waiting    1, the oldest for 2 hours",
        "late       1 came after the end of their partition",
        "undecided  1 row: see `lastmile quarantine list`",
        "failed     0 drops failed or are missing",
    ):
        assert line in printed
    found = json.loads(status("--json"))
    assert (found["backlog"], found["datasets"]["visits"]["backlog"]) == (1, 1)
    assert 7200 <= found["lag_seconds"] < 7300


def test_nothing_is_cut_or_broken_in_a_terminal_of_80_columns(site, status):
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    site.put_rows("b.csv", "v3,3,2,1,done")
    site.discover()
    site.query("UPDATE ledger.drops SET discovered_at = now() - interval '20 days' WHERE id = 2 RETURNING id")
    printed = status(columns=80)
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    (row,) = [line for line in printed.splitlines() if line.strip().startswith("visits")]
    assert "1 for 20 days" in row
    assert "1 row" in row
    assert "see `lastmile quarantine list`" in printed


def test_a_failed_drop_is_counted_until_it_is_discarded(site, status):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.query("UPDATE ledger.drops SET state = 'failed', settled_at = now() RETURNING id")
    assert json.loads(status("--json"))["failures"] == 1
    site.query("UPDATE ledger.drops SET discarded_at = now() RETURNING id")
    assert json.loads(status("--json"))["failures"] == 0


def test_an_empty_installation_has_nothing_to_show_and_says_so(status):
    printed = status()
    assert "drops      none yet" in printed
    assert "waiting    0" in printed
    assert json.loads(status("--json"))["datasets"] == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 minute"), (7_199, "1 hour"), (3 * 86_400, "3 days"), (1e9, "31 years")],
)
def test_a_duration_is_given_in_its_largest_unit(seconds, text):
    assert duration(seconds) == text


def test_a_stream_is_shown_with_its_lag_watermark_and_late_share(site, status):
    from datetime import UTC, datetime, timedelta

    from standing_stream import stand

    stand(site.database_url, datetime.now(UTC) - timedelta(hours=2), timedelta(minutes=5))
    assert "stream     sales: 10 behind, watermark 2 hours ago, 25.0% late, 1 process" in status()
    (found,) = json.loads(status("--json"))["streams"]
    assert (found["stream"], found["lag"], found["late_share"]) == ("sales", 10, 0.25)
