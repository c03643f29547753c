"""Pinned bytes: a file in a folder is linked, not copied, and a write to it while it is read is detected."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from lastmile.settings import Settings
from lastmile.store import Changed, Store, StoredObject, open_store

BODY = b"visit,persons\nv1,3\n"
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def folder(home: Path) -> Store:
    return open_store(Settings(home, None, (home / "store").as_uri(), "none"))


def file_of(folder: Store, key: str) -> Path:
    return Path(folder.url.removeprefix("file://")) / key


def idle(folder: Store, key: str) -> StoredObject:
    """The object, as though it had been idle for an hour."""
    os.utime(file_of(folder, key), (time.time() - 3600,) * 2)
    return folder.head(key)


def test_a_pinned_file_has_the_objects_bytes_and_their_hash(store: Store, tmp_path: Path) -> None:
    store.put("a.csv", BODY)
    pinned = store.pin(store.head("a.csv"), tmp_path / "copy")
    assert (pinned.path.read_bytes(), pinned.sha256) == (BODY, SHA256)
    pinned.expect_unchanged()


def test_an_idle_file_is_not_copied(folder: Store, tmp_path: Path) -> None:
    folder.put("a.csv", BODY)
    pinned = folder.pin(idle(folder, "a.csv"), tmp_path / "copy")
    assert pinned.path.samefile(file_of(folder, "a.csv"))


def test_a_file_just_written_is_copied(folder: Store, tmp_path: Path) -> None:
    folder.put("a.csv", BODY)
    pinned = folder.pin(folder.head("a.csv"), tmp_path / "copy")
    assert not pinned.path.samefile(file_of(folder, "a.csv"))
    file_of(folder, "a.csv").write_bytes(b"other")
    pinned.expect_unchanged()
    assert pinned.path.read_bytes() == BODY


def test_a_file_that_cannot_be_linked_is_copied(folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def far(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    folder.put("a.csv", BODY)
    monkeypatch.setattr(os, "link", far)
    pinned = folder.pin(idle(folder, "a.csv"), tmp_path / "copy")
    assert not pinned.path.samefile(file_of(folder, "a.csv"))
    assert pinned.sha256 == SHA256


def test_a_link_in_the_folder_is_read_as_what_it_leads_to(folder: Store, tmp_path: Path) -> None:
    folder.put("a.csv", BODY)
    (file_of(folder, "a.csv").parent / "b.csv").symlink_to("a.csv")
    pinned = folder.pin(idle(folder, "b.csv"), tmp_path / "copy")
    assert pinned.path.read_bytes() == BODY


@pytest.mark.parametrize("body", [BODY.replace(b"3", b"4"), BODY + b"v2,3\n", b""], ids=["as long", "longer", "empty"])
def test_a_write_into_a_pinned_file_is_detected(folder: Store, tmp_path: Path, body: bytes) -> None:
    folder.put("a.csv", BODY)
    pinned = folder.pin(idle(folder, "a.csv"), tmp_path / "copy")
    file = file_of(folder, "a.csv")
    before = file.stat()
    with file.open("r+b") as opened:
        opened.truncate(len(body))
        opened.write(body)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as tools do that preserve times
    with pytest.raises(Changed, match="written to while being read"):
        pinned.expect_unchanged()


def test_a_pinned_file_may_be_removed_replaced_or_get_other_permissions(folder: Store, tmp_path: Path) -> None:
    folder.put("a.csv", BODY)
    pinned = folder.pin(idle(folder, "a.csv"), tmp_path / "copy")
    file_of(folder, "a.csv").chmod(0o600)
    pinned.expect_unchanged()
    folder.put("a.csv", b"new")
    pinned.expect_unchanged()
    folder.delete("a.csv")
    pinned.expect_unchanged()
    assert pinned.path.read_bytes() == BODY


def test_another_version_than_the_requested_one_is_not_pinned(folder: Store, tmp_path: Path) -> None:
    folder.put("a.csv", b"old")
    wanted = idle(folder, "a.csv")
    folder.put("a.csv", b"new")
    idle(folder, "a.csv")
    with pytest.raises(Changed, match=r"a\.csv: expected version"):
        folder.pin(wanted, tmp_path / "copy")


def test_a_published_file_is_the_object(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "part"
    source.write_bytes(BODY)
    store.publish("cleaned/a/part", source)
    assert store.read("cleaned/a/part") == BODY
    other = tmp_path / "other"
    other.write_bytes(b"other")
    store.publish("cleaned/a/part", other)
    assert store.read("cleaned/a/part") == b"other"


def test_a_missing_file_cannot_be_published(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.publish("cleaned/a/part", tmp_path / "none")
    assert not store.exists("cleaned/a/part")
