"""A file that is uploaded while it grows is the object once published, and nothing before or instead."""

from pathlib import Path

import numpy as np
import pytest

from lastmile.store import Store, Upload

pytestmark = pytest.mark.every_store

KEY = "cleaned/visits/part.parquet"


def random(megabytes: int) -> bytes:
    return np.random.default_rng(7).bytes(megabytes * 2**20)


def append(file: Path, more: bytes) -> None:
    with file.open("ab") as opened:
        opened.write(more)


@pytest.mark.parametrize("megabytes", [1, 11], ids=["less than a part", "some parts"])
def test_a_published_file_has_all_that_was_appended(store: Store, tmp_path: Path, megabytes: int) -> None:
    file, body = tmp_path / "part", random(megabytes)
    with Upload(store, KEY, file) as upload:
        for first in range(0, len(body), 2**20):
            append(file, body[first : first + 2**20])
            upload.follow()
            assert not store.exists(KEY)
        append(file, b"the end")
        upload.publish()
        assert store.read(KEY) == body + b"the end"
    assert store.exists(KEY)


def test_a_file_that_is_not_published_leaves_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "part"
    append(file, random(11))
    with Upload(store, KEY, file) as upload:
        upload.follow()
    assert list(store.list("cleaned")) == []


def test_a_file_that_came_in_the_place_of_the_followed_one_is_what_gets_published(store: Store, tmp_path: Path) -> None:
    file, other = tmp_path / "part", tmp_path / "other"
    with Upload(store, KEY, file) as upload:
        append(file, random(6))
        upload.follow()
        other.write_bytes(b"without the repeated rows")
        other.replace(file)
        upload.publish()
    assert store.read(KEY) == b"without the repeated rows"
