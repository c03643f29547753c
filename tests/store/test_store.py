"""What a store promises, on a folder and on S3 alike."""

import hashlib
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lastmile.errors import UserError
from lastmile.store import Changed, Missing, Store, StoredObject

pytestmark = pytest.mark.every_store


def keys(store: Store, prefix: str = "") -> list[str]:
    return [listed.key for listed in store.list(prefix)]


def only(store: Store, prefix: str = "") -> StoredObject:
    (listed,) = store.list(prefix)
    return listed


def test_what_was_put_is_read_and_listed(store: Store) -> None:
    store.put("landing/crop/2019/a.csv", b"1,2\n")
    listed = only(store)
    assert (listed.key, listed.size) == ("landing/crop/2019/a.csv", 4)
    assert listed.version
    assert listed.modified_at.tzinfo is not None
    assert store.read(listed.key) == b"1,2\n"
    assert store.exists(listed.key)


def test_a_listing_is_sorted_by_key_and_stays_below_its_prefix(store: Store) -> None:
    for key in ("landing/b", "landing/a/z", "landing/a/b/c", "landing-old/x", "landing/a.csv", "cleaned/a"):
        store.put(key, b"1")
    assert keys(store, "landing/") == ["landing/a.csv", "landing/a/b/c", "landing/a/z", "landing/b"]
    assert keys(store, "nothing/") == []


def test_a_listing_of_more_than_a_page_is_whole(store: Store) -> None:
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda number: store.put(f"landing/{number:04}", b""), range(1_050)))
    assert keys(store, "landing") == [f"landing/{number:04}" for number in range(1_050)]


def test_bytes_of_the_same_length_written_in_the_same_moment_are_another_version(store: Store) -> None:
    versions = set()
    for number in range(10):
        store.put("a.csv", b"%d" % number)
        versions.add(only(store).version)
    assert len(versions) == 10


def test_a_fetch_copies_the_bytes_and_returns_their_hash(store: Store, tmp_path: Path) -> None:
    body = os.urandom(20_000_000)
    (tmp_path / "source").write_bytes(body)
    store.put("big.bin", tmp_path / "source")
    assert store.fetch(only(store), tmp_path / "copy") == hashlib.sha256(body).hexdigest()
    assert (tmp_path / "copy").read_bytes() == body


def test_a_fetch_in_several_requests_is_whole(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lastmile.store.transfer.RANGE_BYTES", 1_000)
    body = os.urandom(2_500)
    store.put("a.bin", body)
    assert store.fetch(only(store), tmp_path / "copy") == hashlib.sha256(body).hexdigest()


def test_an_empty_object_is_fetched_as_an_empty_file(store: Store, tmp_path: Path) -> None:
    store.put("empty.csv", b"")
    assert store.fetch(only(store), tmp_path / "copy") == hashlib.sha256(b"").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b""


def test_bytes_that_changed_since_they_were_listed_are_not_fetched(store: Store, tmp_path: Path) -> None:
    store.put("a.csv", b"old")
    listed = only(store)
    store.put("a.csv", b"new")
    with pytest.raises(Changed, match=r"a\.csv: expected version"):
        store.fetch(listed, tmp_path / "copy")


def test_bytes_that_change_while_they_are_read_are_noticed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lastmile.store.transfer.RANGE_BYTES", 10_000)
    store.put("a.bin", b"1" * 300_000)
    listed = only(store)
    pipe = tmp_path / "copy"
    os.mkfifo(pipe)  # holds 64 KiB: the first part cannot be written before it is read

    def rewrite_before_the_first_part_is_through() -> None:
        with pipe.open("rb") as reader:
            reader.read(1)
            store.put("a.bin", b"2" * 300_000)
            reader.read()

    writer = threading.Thread(target=rewrite_before_the_first_part_is_through)
    writer.start()
    try:
        with pytest.raises(Changed):
            store.fetch(listed, pipe)
    finally:
        writer.join()


def test_an_object_that_is_gone_is_missing(store: Store, tmp_path: Path) -> None:
    store.put("a.csv", b"1")
    listed = only(store)
    store.delete("a.csv")
    with pytest.raises(Missing):
        store.fetch(listed, tmp_path / "copy")
    with pytest.raises(Missing):
        store.read("a.csv")
    assert not store.exists("a.csv")
    store.delete("a.csv")


def test_of_many_who_create_the_same_object_one_succeeds(store: Store) -> None:
    def create(number: int) -> bool:
        try:
            store.put("claimed", b"%d" % number, create_only=True)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as racers:
        won = list(racers.map(create, range(16)))
    assert sum(won) == 1
    assert store.read("claimed") == b"%d" % won.index(True)


def test_a_reader_never_sees_half_an_object(store: Store, tmp_path: Path) -> None:
    bodies = [bytes([letter]) * 6_000_000 for letter in b"ab"]
    for number, body in enumerate(bodies):
        (tmp_path / str(number)).write_bytes(body)
    store.put("a.bin", tmp_path / "0")
    done = threading.Event()

    def rewrite() -> None:
        for turn in range(6):
            store.put("a.bin", tmp_path / str(turn % 2))
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not done.is_set():
        assert store.read("a.bin") in bodies
    writer.join()


def test_a_missing_source_is_not_mistaken_for_an_object(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put("a.csv", tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        store.fetch(StoredObject("a", 1, "1", None), tmp_path / "no folder" / "copy")  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["landing/../secret", "landing//a", "landing/a\x01b", "landing/./a"])
def test_a_key_that_leads_elsewhere_is_refused(store: Store, key: str) -> None:
    with pytest.raises(UserError, match="give it another name"):
        store.put(key, b"1")


numbers = itertools.count()
#: Without what a folder cannot keep: `#` (files being written), and what looks like a Windows drive.
names = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/#.:|"), min_size=1, max_size=20)


@given(key=st.lists(names, min_size=1, max_size=4).map("/".join), body=st.binary(max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_name_is_returned_unchanged(store: Store, key: str, body: bytes) -> None:
    folder = f"names/{next(numbers)}"
    store.put(f"{folder}/{key}", body)
    assert keys(store, folder) == [f"{folder}/{key}"]
    assert store.read(f"{folder}/{key}") == body
