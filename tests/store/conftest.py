"""Each test here runs on a folder, on an S3 bucket without versions, and on one with."""

import pytest

from lastmile.store import Store


@pytest.fixture
def store(any_store: Store) -> Store:
    return any_store
