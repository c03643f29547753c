"""Which objects of the landing area become drops, and that each version of each becomes one exactly once."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import pytest

from lastmile import ledger
from lastmile.ingestion import worker
from lastmile.ingestion.discovery.listing import discover, locate
from lastmile.store import Store, StoredObject
from lastmile.store.landing import MAX_KEY_BYTES, MAX_NAME_BYTES, is_unfinished, name_problem

pytestmark = pytest.mark.every_store


@dataclass(frozen=True)
class Dated(Store):
    """A store that says of some objects that they were written at another time."""

    times: dict[str, datetime] = field(default_factory=dict)

    def list(self, prefix: str, *more: Any) -> Iterator[StoredObject]:
        for listed in super().list(prefix, *more):
            yield replace(listed, modified_at=self.times.get(listed.key, listed.modified_at))


def dated(site, key, moment):
    times = {**getattr(site.store, "times", {}), key: moment}
    site.store = Dated(site.store.url, site.store.backend, times)


@pytest.mark.behaviour(number=4)
def test_the_same_listing_twice_enters_a_drop_once(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    assert (site.discover(), site.discover()) == (1, 0)
    assert site.states() == ["discovered"]


@pytest.mark.behaviour(number=1)
def test_identity_is_key_and_version_never_time(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    (listed,) = site.store.list("landing/")
    again = ledger.ListedDrop("visits", "2020", key, listed.version, listed.size, listed.modified_at.replace(year=2031))
    assert ledger.register(site.connection, site.store.url, [again]) == 0
    newer = replace(again, version="another version", modified_at=listed.modified_at)
    assert ledger.register(site.connection, site.store.url, [newer]) == 1


@pytest.mark.behaviour(number=1)
def test_a_version_is_the_stores_own_where_it_keeps_versions(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    (drop,) = site.drops()
    head = site.store.head(drop["key"])
    assert drop["version"] == head.version
    if site.store.keeps_versions:
        bucket, _, prefix = site.store.url.removeprefix("s3://").partition("/")
        versions = boto3.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
        assert [drop["version"]] == [version["VersionId"] for version in versions if version["IsLatest"]]
        assert len(versions) == 2


@pytest.mark.behaviour(number=2)
def test_a_drop_older_than_the_newest_seen_is_found(site):
    site.arrive("new.csv", "v1,3,2,1,done")
    dated(site, site.put_rows("old.csv", "v2,3,2,1,done"), datetime(2001, 1, 1, tzinfo=UTC))
    assert site.discover() == 1
    site.take()
    assert site.visits() == ["v1", "v2"]


@pytest.mark.behaviour(number=3)
def test_two_drops_with_the_same_timestamp_are_both_found(site):
    for name in ("a.csv", "b.csv"):
        dated(site, site.put_rows(name, f"{name},3,2,1,done"), datetime(2023, 1, 1, tzinfo=UTC))
    assert site.discover() == 2
    site.take()
    assert site.visits() == ["a.csv", "b.csv"]


@pytest.mark.behaviour(number=7)
def test_deleting_old_objects_breaks_nothing(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    site.take()
    site.store.delete(key)
    assert site.discover() == 0
    site.arrive("b.csv", "v2,3,2,1,done")
    assert site.visits() == ["v1", "v2"]
    assert site.states() == ["loaded", "loaded"]


def test_an_object_without_a_contract_is_registered_with_the_reason_and_ingested_once_one_fits(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    discover(site.connection, site.store, {})
    (drop,) = site.drops()
    assert (drop["state"], drop["key"]) == ("failed", key)
    assert "no contract for dataset 'visits'" in drop["message"]
    assert site.discover() == 1
    site.take()
    assert site.visits() == ["v1"]


def test_an_invalid_partition_is_reported_with_what_was_expected(site):
    site.put_rows("a.csv", "v1,3,2,1,done", year="20-20")
    site.put_rows("b.csv", "v1,3,2,1,done", year="1999")
    site.discover()
    too_early, malformed = (drop["message"] for drop in sorted(site.drops(), key=lambda drop: drop["key"]))
    assert "'20-20' is not a year: expected the form '2015'" in malformed
    assert "'1999' is outside 2015 to" in too_early


def test_a_drop_is_entered_with_the_end_of_its_partition(site):
    site.arrive("a.csv", "v1,3,2,1,done")
    assert [drop["partition_end"] for drop in site.drops()] == [date(2021, 1, 1)]


@pytest.mark.behaviour(number=18)
def test_files_still_being_written_and_folder_markers_are_ignored(site):
    for name in ("a.csv.tmp", "b.part", ".c.csv", "_SUCCESS", "d.csv~", "e.crdownload", "f.csv._COPYING_"):
        assert is_unfinished(f"landing/visits/2020/{name}")
        site.put(name, "half a ")
    if site.store.url.startswith("s3://"):
        bucket, _, prefix = site.store.url.removeprefix("s3://").partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/landing/visits/2020/", Body=b"")
    assert site.discover() == 0
    assert not is_unfinished("landing/visits/2020/template.csv")


@pytest.mark.behaviour(number=18)
@pytest.mark.parametrize(
    "folder", ["_temporary/0/_temporary/task_1", "_delta_log", ".hoodie/.temp", "_spark_metadata", "run 1/.staging"]
)
def test_what_other_engines_keep_in_hidden_folders_is_no_drop_until_it_is_committed(site, folder):
    site.put_rows(f"{folder}/part-0.csv", "v1,3,2,1,done")
    assert (site.discover(), site.drops()) == (0, [])
    site.put_rows("part-0.csv", "v1,3,2,1,done")
    assert site.discover() == 1
    site.take()
    assert site.visits() == ["v1"]


@pytest.mark.behaviour(number=18)
def test_a_folder_that_names_a_partition_of_its_own_is_not_hidden(site):
    site.arrive("_day=2020-03-01/part-0.csv", "v1,3,2,1,done")
    assert site.visits() == ["v1"]


@pytest.mark.behaviour(number=18)
def test_a_growing_drop_is_ingested_only_once_it_is_idle(site):
    site.under(quiet_period=timedelta(seconds=0.5))
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    assert ledger.claim_next(site.connection, site.store.url, "visits", ["2020"], "too early") is None
    site.put_rows("a.csv", "v1,3,2,1,done", "v2,3,2,1,done")
    site.discover()
    before = ledger.now(site.connection)
    site.take()
    assert site.visits() == ["v1", "v2"]
    assert sorted(site.states()) == ["loaded", "superseded"]
    assert ledger.now(site.connection) - before > timedelta(seconds=0.3)
    assert all(drop["not_before"] >= drop["discovered_at"] + timedelta(seconds=0.5) for drop in site.drops())


@pytest.mark.behaviour(number=18)
def test_a_drop_due_much_later_requests_no_run_yet(site):
    site.under(quiet_period=timedelta(minutes=10)).put_rows("slow.csv", "v1,3,2,1,done")
    site.discover()
    assert ledger.pending(site.connection, site.store.url) == []
    assert site.take() == []
    site.query("UPDATE ledger.drops SET not_before = clock_timestamp() + interval '20 seconds' RETURNING id")
    assert [waiting[:3] for waiting in ledger.pending(site.connection, site.store.url)] == [("visits", "2020", 1)]


@pytest.mark.behaviour(number=18)
def test_by_default_files_in_a_folder_have_a_quiet_period_and_objects_of_a_bucket_none(site):
    site.under(quiet_period=None).put_rows("a.csv", "v1,3,2,1,done")
    site.discover()
    (drop,) = site.drops()
    expected = timedelta(0) if site.store.url.startswith("s3://") else timedelta(seconds=3)
    assert timedelta(0) <= drop["not_before"] - drop["discovered_at"] - expected < timedelta(seconds=2)


HOSTILE = {
    "a/../../../etc/passwd": "found an empty one, '.' or '..'",
    "/etc/passwd": "found an empty one, '.' or '..'",
    "a\\..\\b.csv": "found a backslash",
    "a\x1b[2Jb.csv": r"found '\x1b'",
    "invoice\u202evsc.exe": r"found '\u202e'",
    "a\u200bb.csv": r"found '\u200b'",
    "bad \udcff.csv": r"found '\udcff'",
    "n" * (MAX_NAME_BYTES + 1): "expected at most 255 bytes between two slashes, found 256",
    "n/" * 2_000 + "a.csv": f"expected at most {MAX_KEY_BYTES} bytes, found 4025",
}


@pytest.mark.behaviour(number=32)
def test_a_key_that_no_drop_may_have_is_entered_as_failed_with_the_reason_and_never_read(site):
    hostile = [StoredObject(f"landing/visits/2020/{name}", 3, "1", datetime.now(UTC)) for name in HOSTILE]
    found = [locate(listed, {"visits": site.contract}, timedelta(0)) for listed in hostile]
    assert (ledger.register(site.connection, site.store.url, found), site.take()) == (len(HOSTILE), [])
    assert ledger.register(site.connection, site.store.url, found) == 0
    drops = {drop["message"]: drop for drop in site.drops()}
    for told in HOSTILE.values():
        assert any(told in message for message in drops), told
    for message, drop in drops.items():
        assert drop["state"] == "failed"
        assert message.endswith("upload it under another name")
        assert drop["key"].isprintable()
        assert message.isprintable()


@pytest.mark.behaviour(number=32)
def test_a_hostile_key_in_the_landing_area_holds_up_no_other(site):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("z.csv", "v2,3,2,1,done")
    if site.store.url.startswith("s3://"):
        bucket, _, prefix = site.store.url.removeprefix("s3://").partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/landing/visits/2020/b/../../x", Body=b"1")
    else:
        (site.folder() / "landing/visits/2020/b\x01x").write_bytes(b"1")
    assert (site.discover(), site.discover()) == (3, 0)
    site.take()
    assert site.visits() == ["v1", "v2"]
    assert sorted(site.states()) == ["failed", "loaded", "loaded"]


@pytest.mark.parametrize(
    "name", ["調査　2020.csv", "Größe (1).csv", "a b.csv", "50%+1&x=y.csv", "مسح.csv", "n" * MAX_NAME_BYTES]
)
def test_names_that_people_write_are_no_problem(name):
    assert name_problem(f"landing/visits/2020/{name}") is None


@pytest.mark.behaviour(number=8)
def test_ten_thousand_objects_are_entered_in_pages(site):
    found = (
        ledger.ListedDrop("visits", "2020", f"landing/visits/2020/{number}.csv", "1", 1, ledger.now(site.connection))
        for number in range(10_000)
    )
    assert ledger.register(site.connection, site.store.url, found) == 10_000
    assert site.query("SELECT count(*) AS drops FROM ledger.drops") == [{"drops": 10_000}]


@pytest.mark.behaviour(number=8)
def test_a_backlog_is_ingested_in_bounded_batches_and_the_rest_waits_for_the_next(site, monkeypatch):
    monkeypatch.setattr(worker, "MAX_DROPS", 3)
    for number in range(7):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done", year=str(2019 + number % 3))
    site.discover()
    assert [len(site.take()) for _ in range(4)] == [3, 3, 1, 0]
    assert len(site.visits()) == 7


@pytest.mark.behaviour(number=8)
def test_a_redo_of_many_drops_is_not_cut_short(site, monkeypatch):
    for number in range(4):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    site.discover()
    site.take()
    monkeypatch.setattr(worker, "MAX_DROPS", 3)
    assert len(site.take(redo=True)) == 4


@pytest.mark.behaviour(number=8)
def test_claiming_from_a_long_backlog_reads_few_drops(site):
    found = [
        ledger.ListedDrop("visits", year, f"landing/visits/{year}/{number}.csv", "1", 1, ledger.now(site.connection))
        for year in ("2019", "2020", "2021")
        for number in range(2_000)
    ]
    ledger.register(site.connection, site.store.url, found)
    site.connection.execute("ANALYZE ledger.drops")  # as autovacuum does within a minute
    with site.connection.transaction():
        before = drops_looked_at(site)
        for _ in range(20):
            assert ledger.claim_next(site.connection, site.store.url, "visits", ["2019", "2020", "2021"], "test")
        assert drops_looked_at(site) - before < 1_000


def drops_looked_at(site):
    """How many of the ledger's rows this session's statements have read, not counting what was reported before."""
    reads = "SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables WHERE relname = 'drops'"
    return site.query(reads)[0]["rows"]
