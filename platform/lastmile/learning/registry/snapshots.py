"""The rows a version was fitted on, kept by what they are: a version can be made again from exactly these."""

import pandas as pd

from lastmile.learning.frames import as_parquet, parquet
from lastmile.store import Store


class SnapshotLost(Exception):
    """The rows of a version are not in the store any more."""


def keep(store: Store, feature_set: str, data_version: str, rows: pd.DataFrame) -> str:
    """The key of the rows, put there unless they are; `data_version` is a hash of them."""
    key = f"snapshots/{feature_set}/{data_version}.parquet"
    if not store.exists(key):
        store.put(key, as_parquet(rows))
    return key


def read(store: Store, key: str) -> pd.DataFrame:
    """Raises SnapshotLost."""
    rows = parquet(store, key)
    if rows is None:
        raise SnapshotLost(f"{key} is lost: {store.url} has no such object")
    return rows
