"""Frames kept by partition: as Parquet in the store, which is what training reads, and as a table in Postgres."""

import hashlib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd
from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.relations import Window
from lastmile.learning.tables import as_polars, insert, replacing
from lastmile.store import Missing, Store

_PARTITION = re.compile(r"partition=(.+)\.parquet$")


@dataclass(frozen=True)
class PartitionedFrame:
    """Rows of `kind` ("features", "predictions") under a name. The table is `<kind>.<name>`, the files lie in
    `<kind>/<name>/`, and `partition_column` holds a day within the row's partition."""

    kind: str
    name: str
    partition_column: str

    def key(self, partition: str) -> str:
        return f"{self.kind}/{self.name}/partition={partition}.parquet"

    def replace(
        self,
        connection: Connection,
        store: Store,
        partition: str,
        window: Window,
        rows: pd.DataFrame,
        also: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Put the rows in place of the partition's.

        File and table change under one lock, so of runs that overlap the last one makes both; the file is written
        before the transaction commits. What `also` writes is part of the transaction.
        """
        typed, table = as_polars(rows, dates=[self.partition_column]), f"{self.kind}.{self.name}"
        with replacing(connection, table, typed.schema, self.partition_column, window):
            insert(connection, table, typed)
            also(connection)
            store.put(self.key(partition), as_parquet(rows))

    def read(self, store: Store, partitions: Iterable[str] | None = None) -> pd.DataFrame:
        """The rows of these partitions, of all when none are given; those never made have no rows.

        Raises UserError where not one of them was made.
        """
        known = self.partitions(store)
        wanted = known if partitions is None else list(partitions)
        found = [_read(store, self.key(partition)) for partition in wanted if partition in known]
        if not found:
            made = ", ".join(known) or "none"
            raise UserError(
                f"{self.kind}/{self.name} has no rows of {', '.join(wanted) or 'any partition'} yet; made so far:"
                f" {made}. Materialize the asset first."
            )
        return pd.concat(found, ignore_index=True)

    def of(self, store: Store, partition: str) -> pd.DataFrame | None:
        """The rows of one partition as they were last made, None where it never was."""
        return parquet(store, self.key(partition))

    def differs(self, store: Store, partition: str, rows: pd.DataFrame) -> bool:
        """Whether a partition that was made has other rows than these."""
        return store.read(self.key(partition)) != as_parquet(rows)

    def partitions(self, store: Store) -> list[str]:
        """The partitions that were made, in order."""
        keys = [stored.key for stored in store.list(f"{self.kind}/{self.name}/")]
        return [match[1] for key in keys if (match := _PARTITION.search(key))]


def as_parquet(rows: pd.DataFrame) -> bytes:
    """The rows as a file; the same rows are the same bytes."""
    file, plain = io.BytesIO(), rows.copy(deep=False)
    plain.attrs = {}  # pandas writes them, too, and the same rows would differ
    plain.to_parquet(file, compression="zstd", index=False)
    return file.getvalue()


def parquet(store: Store, key: str | None, columns: list[str] | None = None) -> pd.DataFrame | None:
    """The rows of a file, None where it was not kept or is lost."""
    try:
        return None if key is None else _read(store, key, columns)
    except Missing:
        return None


def _read(store: Store, key: str, columns: list[str] | None = None) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(store.read(key)), columns=columns)


def content(rows: pd.DataFrame) -> str:
    """A hash of the rows' values, in their order: sixteen hex digits."""
    values = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    return hashlib.sha256(repr(list(rows.columns)).encode() + values.tobytes()).hexdigest()[:16]


def contents(rows: pd.DataFrame, partition_column: str) -> dict[str, str]:
    """The hash of each partition's rows, by first day."""
    days = rows[partition_column].dt.strftime("%Y-%m-%d")
    return {str(day): content(part) for day, part in rows.groupby(days)}
