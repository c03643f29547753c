"""A large object of a bucket is read while it arrives: in order, of one version, and never mistaken for whole."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import SEEK_END
from pathlib import Path
from threading import Event
from zipfile import ZipFile

import pytest

from lastmile.store import ArrivingFile, Changed, Store, StoredObject, transfer

pytestmark = pytest.mark.every_store

BODY = b"".join(b"v%06d,3\n" % number for number in range(1_000))


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "RANGE_BYTES", 700)


def wanted(body: bytes) -> StoredObject:
    return StoredObject("a.csv", len(body), "1", datetime.now(UTC))


def test_an_object_of_many_ranges_has_its_bytes_in_order_and_their_hash(store: Store, tmp_path: Path) -> None:
    store.put("a.csv", BODY)
    with store.pinned(store.head("a.csv"), tmp_path / "copy") as pinned, pinned.source.open("rb") as file:
        assert file.read(11) == BODY[:11]
        assert file.read() == BODY[11:]
        assert pinned.sha256 == hashlib.sha256(BODY).hexdigest()
        assert pinned.path.read_bytes() == BODY
        assert pinned.is_whole


def test_what_has_arrived_is_read_before_the_rest_has(tmp_path: Path) -> None:
    may_go_on = Event()

    def chunks() -> Iterator[bytes]:
        yield BODY[:100]
        may_go_on.wait(60)
        yield BODY[100:]

    with ArrivingFile(wanted(BODY), tmp_path / "copy", chunks()) as arriving, arriving.open() as file:
        assert file.read(50) == BODY[:50]
        assert not arriving.is_whole
        assert file.seek(0, SEEK_END) == len(BODY)
        file.seek(50)
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(file.read)
            assert not rest.done()
            may_go_on.set()
            assert rest.result() == BODY[50:]


def test_a_file_that_is_read_from_its_end_waits_for_it(store: Store, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a.csv", BODY)
    store.put("a.zip", (tmp_path / "zip").read_bytes())
    with store.pinned(store.head("a.zip"), tmp_path / "copy") as pinned, pinned.source.open("rb") as file:
        assert ZipFile(file).read("a.csv") == BODY


@pytest.mark.behaviour(number=17)
def test_an_object_replaced_while_it_arrives_is_reported_by_whatever_is_read_next(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.url.startswith("file:"):
        pytest.skip("a file is copied or linked, see test_pinning")
    monkeypatch.setattr(transfer, "PARALLEL_RANGES", 1)
    store.put("a.csv", BODY)
    before = store.head("a.csv")
    ranges = transfer.ranges

    def replaced_after_the_first(*arguments: object) -> Iterator[bytes]:
        found = ranges(*arguments)  # type: ignore[arg-type]  # as they were given
        yield next(found)
        store.put("a.csv", BODY[::-1])
        yield from found

    monkeypatch.setattr(transfer, "ranges", replaced_after_the_first)
    with store.pinned(before, tmp_path / "copy") as pinned:
        with pinned.source.open("rb") as file, pytest.raises(Changed):
            file.read()
        with pytest.raises(Changed):
            _ = pinned.sha256
        with pytest.raises(Changed):
            pinned.expect_unchanged()


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x"], ids=["shorter", "longer"])
def test_an_object_of_another_size_than_listed_is_not_whole(tmp_path: Path, body: bytes) -> None:
    with ArrivingFile(wanted(BODY), tmp_path / "copy", [body[:99], body[99:]]) as arriving:
        with pytest.raises(Changed, match=f"expected {len(BODY)} bytes, found {len(body)}"):
            arriving.expect_unchanged()
        with pytest.raises(Changed):
            _ = arriving.path


def test_a_download_ends_with_its_reader(tmp_path: Path) -> None:
    asked = []

    def chunks() -> Iterator[bytes]:
        for first in range(len(BODY)):
            asked.append(first)
            yield BODY[first : first + 1]

    with ArrivingFile(wanted(BODY), tmp_path / "copy", chunks()) as arriving, arriving.open() as file:
        assert file.read(1) == BODY[:1]
    assert len(asked) < len(BODY)


def test_a_failed_download_is_reported_to_what_waits_for_it(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield BODY[:100]
        raise OSError(28, "No space left on device")

    with ArrivingFile(wanted(BODY), tmp_path / "copy", chunks()) as arriving, arriving.open() as file:
        with pytest.raises(OSError, match="No space left"):
            file.read()
        with pytest.raises(OSError, match="No space left"):
            arriving.expect_unchanged()
