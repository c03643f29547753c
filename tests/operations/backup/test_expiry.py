"""Backups that are kept can always be restored, and what nothing needs goes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lastmile.operations.backup import log as archive
from lastmile.operations.backup.catalogue import Backup, chain, publish
from lastmile.operations.backup.encryption import Seal
from lastmile.operations.backup.expiry import expire, keep
from lastmile.operations.backup.repository import Repository
from lastmile.settings.backup import BackupSettings
from lastmile.store import open_at

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def made(number: int, ago_days: float, parent: str | None, kind: str = "full") -> Backup:
    at = NOW - timedelta(days=ago_days)
    return Backup(
        id=f"{number:04}", kind="incremental" if parent else kind, parent=parent, started_at=at, ended_at=at,
        parts=(), bytes=1, stored_bytes=1, store_url="file:///store", revision="0023", is_encrypted=False,
        timeline=1, start=archive.place_of(number * 10), end=archive.place_of(number * 10 + 1),
    )  # type: ignore[arg-type]  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Backup]:
    """Backups of up to two years, the oldest first, each full or on the one before."""
    ages = sorted(draw(st.lists(st.floats(0, 700), min_size=1, max_size=40)), reverse=True)
    found: list[Backup] = []
    for number, age in enumerate(ages, 1):
        builds = found and draw(st.booleans())
        found.append(made(number, age, found[-1].id if builds else None))
    return found


@given(histories(), st.integers(1, 30), st.integers(0, 10), st.integers(0, 24))
def test_what_is_kept_can_be_restored_and_the_newest_is_kept(
    known: list[Backup], days: int, weeks: int, months: int
) -> None:
    kept = keep(known, BackupSettings(keep_days=days, keep_weeks=weeks, keep_months=months), NOW)
    assert known[-1] in kept
    for one in kept:
        assert all(part in kept for part in chain(known, one))
    assert [one for one in known if one.ended_at >= NOW - timedelta(days=days) and one not in kept] == []


@given(histories())
def test_any_moment_of_the_days_that_are_kept_has_a_backup_before_it(known: list[Backup]) -> None:
    kept = keep(known, BackupSettings(keep_days=7, keep_weeks=0, keep_months=0), NOW)
    since = NOW - timedelta(days=7)
    if any(one.ended_at < since for one in known):
        assert any(one.ended_at < since for one in kept)


def test_a_year_of_nightly_backups_leaves_days_weeks_and_months() -> None:
    known = [made(366 - ago, ago, None) for ago in range(365, -1, -1)]
    kept = keep(known, BackupSettings(), NOW)
    assert 7 + 5 + 12 - 5 <= len(kept) <= 7 + 5 + 12 + 2


def test_the_log_that_no_kept_backup_needs_goes_and_half_backups_go(tmp_path: object) -> None:
    repository = Repository(open_at(f"file://{tmp_path}/backups", "TEST"), Seal())
    for one in (made(1, 30, None), made(2, 9, None), made(3, 1, None)):
        publish(repository, one)
    repository.put("backups/0004/part-00001", b"of a backup that died")
    for number in (9, 15, 20, 25, 31):
        repository.put(f"log/00000001/{archive.segment(1, number)}", b"log")
    gone = expire(repository, BackupSettings(keep_weeks=0, keep_months=0), NOW)
    assert gone.backups == ("0001",)
    assert sorted(archive.archived(repository).segments) == [archive.segment(1, number) for number in (20, 25, 31)]
    assert {one.name.split("/")[1] for one in repository.list("backups/")} == {"0002", "0003"}


@given(st.integers(0, 2**40 - 1))
def test_segments_are_named_and_numbered_both_ways(number: int) -> None:
    name = archive.segment(3, number)
    assert archive.number_of(name) == number
    assert archive.segment_at(3, archive.place_of(number)) == name
    assert archive.segment_after(3, archive.place_of(number)) == name
