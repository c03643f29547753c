"""A backup is whole or is none: killed, damaged, or with its store away, that is seen, and the next one works."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from backed_up import Installed, installation, kill, wait_for

from lastmile.embedded.unfinished import expect_whole
from lastmile.errors import UserError
from lastmile.operations.backup.catalogue import backups, incomplete
from lastmile.operations.backup.history import alone, archive, attempts
from lastmile.operations.backup.log import archived
from lastmile.operations.backup.repository import silent
from lastmile.operations.backup.verification import faults

#: Runs a backup or a restore in a process of its own, which reports its first progress and waits to be killed.
DYING = """
import sys, time
from lastmile.operations.backup import repository
put = repository.Repository.put
def slow(self, name, data):
    key = put(self, name, data)
    print("stored", name, flush=True)
    time.sleep(1000) if "{after}" in name else None
    return key
repository.Repository.put = slow
from lastmile.cli.app import app
app(sys.argv[1:])
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installed]:
    with installation(tmp_path) as found:
        found.load("a")
        yield found


def kill_after(here: Installed, after: str, *command: str) -> None:
    """Run a command and kill it once it has stored something of that name."""
    process = subprocess.Popen(
        [sys.executable, "-c", DYING.format(after=after), *command],
        env=here.environment(), stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if after in line:
            break
    kill(process)
    process.stdout.close()


def test_a_killed_backup_is_none_and_the_next_one_removes_what_it_left(here: Installed) -> None:
    kill_after(here, "part-00001", "backup")
    assert backups(here.repository) == []
    assert incomplete(here.repository) != []
    wait_for(lambda: _is_free(here))
    made = here.back_up()
    assert [one.id for one in backups(here.repository)] == [made.backup.id]
    assert incomplete(here.repository) == []
    assert [one["error"] for one in attempts(here.site.connection)] == [None, "it was ended before it was complete"]
    assert faults(here.repository, silent) == []


def _is_free(here: Installed) -> bool:
    try:
        with alone(here.site.connection):
            return True
    except UserError:
        return False


def test_two_backups_at_once_are_refused(here: Installed) -> None:
    with alone(here.site.connection), pytest.raises(UserError, match="another backup is under way"):
        here.back_up()
    assert backups(here.repository) == []


@pytest.mark.parametrize("what", ["backups/*/part-00001.*", "objects/*/*/part.*"])
def test_a_damaged_part_is_named_by_verify_and_by_restore(here: Installed, tmp_path: Path, what: str) -> None:
    here.back_up()
    damaged = next((tmp_path / "backups").glob(what))
    body = bytearray(damaged.read_bytes())
    body[len(body) // 2] ^= 1
    damaged.write_bytes(body)
    (fault,) = faults(here.repository, silent)
    assert "is damaged: expected the SHA-256 in its name" in fault
    assert damaged.name in fault
    with pytest.raises(UserError, match="is damaged: expected the SHA-256 in its name"):
        here.restored(tmp_path / "again")
    with pytest.raises(UserError, match="did not finish: run `lastmile restore`"):
        expect_whole(tmp_path / "again")


@pytest.mark.parametrize("what", ["backups/*/part-00001.*", "objects/*/*/part.*", "backups/*/manifest.*"])
def test_a_lost_part_is_named(here: Installed, tmp_path: Path, what: str) -> None:
    here.back_up()
    next((tmp_path / "backups").glob(what)).unlink()
    assert [fault for fault in faults(here.repository, silent) if "lost" in fault]


def test_a_restore_that_was_killed_is_refused_and_can_be_run_again(here: Installed, tmp_path: Path) -> None:
    here.back_up()
    kill_restore(here, tmp_path / "again")
    with pytest.raises(UserError, match="did not finish"):
        expect_whole(tmp_path / "again")
    again = here.restored(tmp_path / "again")
    expect_whole(tmp_path / "again")
    assert again.visits() == ["a"]
    assert again.made.agreement.faults == ()


def kill_restore(here: Installed, home: Path) -> None:
    """Killed when the cluster is laid out and the server recovers it."""
    command = [sys.executable, "-m", "lastmile.cli", "restore", "--latest", "--into", str(home)]
    environment = {**here.environment(), "LASTMILE_BACKUP_IDENTITY": str(here.backup.identity)}
    environment.pop("LASTMILE_STORE_URL")
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    wait_for(lambda: (home / "postgres" / "data" / "recovery.signal").exists() or process.poll() is not None)
    kill(process)
    assert not (home / "restore.json").exists()


def test_a_store_that_is_away_stops_no_work_and_what_is_missing_is_archived_after(
    here: Installed, tmp_path: Path
) -> None:
    here.back_up()
    with here.archiving():
        here.load("b")
        wait_for(lambda: archive(here.site.connection))
        (tmp_path / "backups").rename(tmp_path / "away")
        (tmp_path / "backups").write_text("no folder")
        here.load("c")
        here.site.connection.execute("SELECT pg_switch_wal()")
        here.load("d")
        problem = wait_for(lambda: (archive(here.site.connection) or {}).get("problem"))
        assert "backups" in problem
        (tmp_path / "backups").unlink()
        (tmp_path / "away").rename(tmp_path / "backups")
        wait_for(lambda: not (archive(here.site.connection) or {"problem": 1})["problem"])
    assert here.site.visits() == ["a", "b", "c", "d"]
    assert here.restored(tmp_path / "again").visits() == ["a", "b", "c", "d"]


def test_an_archiver_that_is_killed_goes_on_without_a_gap(here: Installed, tmp_path: Path) -> None:
    here.back_up()
    for visit in ("b", "c"):
        process = here.start_archiver()
        here.load(visit)
        here.site.connection.execute("SELECT pg_switch_wal()")
        wait_for(lambda: archived(here.repository).ends)
        kill(process)
    with here.archiving():
        here.load("d")
    assert faults(here.repository, silent) == []
    assert here.restored(tmp_path / "again").visits() == ["a", "b", "c", "d"]


def test_a_gap_in_the_log_is_named_and_ends_what_can_be_restored(here: Installed, tmp_path: Path) -> None:
    here.back_up()
    with here.archiving():
        for visit in ("b", "c", "d"):
            here.load(visit)
            here.site.connection.execute("SELECT pg_switch_wal()")
            time.sleep(0.1)
    segments = sorted((tmp_path / "backups" / "log" / "00000001").glob("*.gz.age"))
    segments[-2].unlink()
    assert [fault for fault in faults(here.repository, silent) if "gap" in fault]
    assert here.restored(tmp_path / "again").visits() in (["a", "b"], ["a", "b", "c"])
