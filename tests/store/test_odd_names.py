"""One upload with a name that cannot be must not hide the others, nor be hidden."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import boto3
import pytest

from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.store.landing import name_problem


@pytest.fixture
def bucket(s3_store_url: str) -> Any:
    return boto3.resource("s3").Bucket(urlparse(s3_store_url).netloc)


@pytest.mark.behaviour(number=32)
@pytest.mark.parametrize(
    ("odd", "versions"),
    [
        *(
            (odd, "without")
            for odd in ["landing/b/../c", "landing//b", "landing/b\x01c", "landing/./b", "landing/b\x7f"]
        ),
        *(
            (odd, "with") for odd in ["landing/b/../c", "landing//b"]
        ),  # this S3 server itself fails on control characters
    ],
)
def test_an_odd_key_in_a_bucket_is_listed_with_all_others(
    odd: str, versions: str, bucket: Any, s3_store_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if versions == "with":
        bucket.Versioning().enable()
    monkeypatch.setenv("LASTMILE_STORE_URL", s3_store_url)
    for key in ("landing/a", odd, "landing/z"):
        bucket.put_object(Key=key, Body=b"1")
    store = open_store(Settings.from_environment())
    assert [listed.key for listed in store.list("landing")] == sorted(["landing/a", odd, "landing/z"])
    assert name_problem(odd)
    assert all(store.read(listed.key) for listed in store.list("landing") if not name_problem(listed.key))


def test_objects_around_an_odd_key_have_the_version_they_have_without_it(
    bucket: Any, s3_store_url: str, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LASTMILE_STORE_URL", f"{s3_store_url}/pre")
    store = open_store(Settings.from_environment())
    store.put("landing/a", b"1")
    before = list(store.list("landing"))
    bucket.put_object(Key="pre/landing//b", Body=b"1")
    assert list(store.list("landing"))[1:] == before
    store.fetch(before[0], tmp_path / "copy")


def test_the_markers_of_a_buckets_folders_are_no_objects(
    bucket: Any, s3_store_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTMILE_STORE_URL", s3_store_url)
    for key in ("landing/crop/2019/", "landing/crop/2019/empty.csv"):
        bucket.put_object(Key=key, Body=b"")
    store = open_store(Settings.from_environment())
    assert [listed.key for listed in store.list("landing")] == ["landing/crop/2019/empty.csv"]


@pytest.mark.behaviour(number=32)
@pytest.mark.parametrize("odd", [b"b\x01c", b"line\nbreak", b"\xff.csv"])
def test_an_odd_file_in_a_folder_is_listed_with_all_others(odd: bytes, home: Path) -> None:
    store = open_store(Settings.from_environment())
    store.put("landing/a", b"1")
    store.put("landing/z", b"1")
    Path(os.fsdecode(os.fsencode(home / "store" / "landing") + b"/" + odd)).write_bytes(b"1")
    listed = [found.key for found in store.list("landing")]
    assert listed == sorted(["landing/a", f"landing/{os.fsdecode(odd)}", "landing/z"])
    assert [bool(name_problem(key)) for key in listed].count(True) == 1


def test_what_is_still_being_written_into_a_folder_is_not_listed(home: Path) -> None:
    store = open_store(Settings.from_environment())
    store.put("landing/a.csv", b"1")
    (home / "store" / "landing" / "b.csv#1").write_bytes(b"half")
    (home / "store" / "landing" / "c\x01").write_bytes(b"makes the slow listing necessary")
    assert [listed.key for listed in store.list("landing")] == ["landing/a.csv", "landing/c\x01"]
