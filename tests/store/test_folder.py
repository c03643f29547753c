"""A listing of a folder: whatever is there and cannot be read costs itself alone, and is named."""

import os
import socket
import stat
from pathlib import Path

import obstore
import pytest

from lastmile.errors import UserError
from lastmile.ingestion.upload import check_readable
from lastmile.settings import Settings
from lastmile.store import Denied, Store, folder

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def landing(store: Store) -> Path:
    """The landing area, with one good file."""
    store.put("landing/visits/2020/good.csv", b"visit\n1\n")
    return Path(str(store.backend.prefix)) / "landing"


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> "set[str]":
    """Names of folders and files that the system refuses to open, as it does to anybody but root."""
    names: set[str] = set()
    scandir, opened = os.scandir, os.open

    def refuse(path: object) -> None:
        if any(part in names for part in Path(str(path)).parts):
            raise PermissionError(13, "Permission denied", str(path))

    def list_folder(path: str) -> object:
        refuse(path)
        return scandir(path)

    def open_file(path: str, *more: int) -> int:
        refuse(path)
        return opened(path, *more)

    monkeypatch.setattr(folder.os, "scandir", list_folder)
    monkeypatch.setattr("lastmile.store.objects.os.open", open_file)
    return names


def listed(store: Store, prefix: str = "landing") -> tuple[list[str], dict[str, str]]:
    """Keys, and what is not listed, with the reason."""
    unlisted: dict[str, str] = {}
    keys = [one.key for one in store.list(prefix, unlisted.__setitem__)]
    return keys, unlisted


GOOD = ["landing/visits/2020/good.csv"]


def test_a_folder_that_may_not_be_listed_costs_itself_alone(store: Store, landing: Path, forbidden: set[str]) -> None:
    (landing / "secret").mkdir()
    (landing / "secret" / "a.csv").write_text("a")
    forbidden.add("secret")
    keys, unlisted = listed(store)
    assert keys == GOOD
    assert list(unlisted) == ["landing/secret/"]
    assert "Permission denied; give the platform's user the right to read it" in unlisted["landing/secret/"]


@pytest.mark.skipif(AS_ROOT, reason="root may list anything")
def test_a_folder_without_rights_costs_itself_alone(store: Store, landing: Path) -> None:
    (landing / "secret").mkdir(mode=0)
    try:
        keys, unlisted = listed(store)
    finally:
        (landing / "secret").chmod(0o700)
    assert (keys, list(unlisted)) == (GOOD, ["landing/secret/"])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: os.mkfifo(path), "a named pipe"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "a socket"),
        (lambda path: path.symlink_to("/etc/hosts"), "a symbolic link"),
        (lambda path: path.symlink_to("/etc"), "a symbolic link"),
        (lambda path: path.symlink_to(path), "a symbolic link"),
        (lambda path: path.symlink_to(path.parent), "a symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
    ],
    ids=["pipe", "socket", "file", "folder", "itself", "circle", "nowhere"],
)
def test_what_is_no_file_is_never_read_and_is_named(store: Store, landing: Path, monkeypatch, make, said) -> None:
    monkeypatch.chdir(landing / "visits" / "2020")  # a socket's path is short
    make(Path("odd"))
    keys, unlisted = listed(store)
    assert keys == GOOD
    assert list(unlisted) == ["landing/visits/2020/odd"]
    assert unlisted["landing/visits/2020/odd"].startswith(said)


@pytest.mark.skipif(not AS_ROOT, reason="only root makes devices")
def test_a_device_is_never_read(store: Store, landing: Path) -> None:
    try:
        os.mknod(landing / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this root may make no devices")
    assert listed(store) == (GOOD, {"landing/null": "a device, which is never read: put a file there"})


def test_a_linked_folder_is_not_listed_from_within_either(store: Store, landing: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "2020").mkdir(parents=True)
    (tmp_path / "elsewhere" / "2020" / "a.csv").write_text("a")
    (landing / "crop").symlink_to(tmp_path / "elsewhere")
    assert listed(store, "landing/crop/2020")[0] == []
    assert list(listed(store, "landing/crop")[1]) == ["landing/crop/"]


def test_a_link_to_a_file_of_the_store_is_listed_as_that(store: Store, landing: Path, tmp_path: Path) -> None:
    (landing / "visits" / "2020" / "same.csv").symlink_to("good.csv")
    good, same = store.list("landing")
    assert (same.key, same.version, same.size) == ("landing/visits/2020/same.csv", good.version, good.size)
    assert store.head(same.key) == same
    store.fetch(same, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"visit\n1\n"


def test_the_folder_of_the_store_may_itself_be_a_link(store: Store, landing: Path, tmp_path: Path, monkeypatch) -> None:
    from lastmile.store import open_store

    (tmp_path / "link").symlink_to(landing.parent)
    monkeypatch.setenv("LASTMILE_STORE_URL", f"file://{tmp_path / 'link'}")
    linked = open_store(Settings.from_environment())
    assert listed(linked) == (GOOD, {})
    (one,) = linked.list("landing")
    assert linked.pin(one, tmp_path / "pinned").path.read_bytes() == b"visit\n1\n"


def test_versions_sizes_and_times_are_those_of_the_store_s_client(store: Store, landing: Path) -> None:
    for number, name in enumerate(("a b.csv", "ü%20.csv", "x#y.csv", "-.csv", "日本.csv")):
        (landing / name).write_bytes(b"x" * number)
        os.utime(landing / name, ns=(0, 1_600_000_000_123_456_789 + number))
    for one in store.list("landing"):
        assert store.head(one.key) == one


def test_what_the_client_is_still_writing_is_not_listed(store: Store, landing: Path) -> None:
    (landing / "visits" / "2020" / "b.csv#1").write_text("half")
    assert listed(store) == (GOOD, {})


def test_a_file_that_may_not_be_read_is_told_from_one_that_is_gone(
    store: Store, landing: Path, forbidden: set[str], tmp_path: Path
) -> None:
    (one,) = store.list("landing")
    forbidden.add("good.csv")
    for read in (store.fetch, store.pin):
        with pytest.raises(Denied, match="Permission denied; give the platform's user the right to read it"):
            read(one, tmp_path / "to")


def test_a_link_that_came_in_the_place_of_a_file_is_not_read(store: Store, landing: Path, tmp_path: Path) -> None:
    (one,) = store.list("landing")
    (landing / "visits" / "2020" / "good.csv").unlink()
    (landing / "visits" / "2020" / "good.csv").symlink_to("/etc/hosts")
    with pytest.raises(Denied, match="a symbolic link out of the store has come in its place"):
        store.pin(one, tmp_path / "to")


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path / "pipe", "a named pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        with pytest.raises(UserError, match=f"is {said}: expected a file, or a folder of files"):
            check_readable(path)


def test_obstore_still_names_versions_as_we_do(store: Store) -> None:
    store.put("landing/a.csv", b"1")
    (one,) = store.list("landing")
    assert obstore.head(store.backend, "landing/a.csv")["e_tag"].strip('"') == one.version
