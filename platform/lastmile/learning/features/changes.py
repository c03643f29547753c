"""What changed in a feature set each time a partition was made: labelled rows that came, or are not as they were.

Recorded in the transaction that replaces the partition. Rows made again as they were count for nothing.
"""

from collections.abc import Callable, Sequence

import pandas as pd
from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.learning.relations import Window

#: Of a partition that is counted for the first time everything is new.
_RECORD = """
    INSERT INTO registry.feature_partitions AS known (name, partition_start, rows, labelled, changed)
    VALUES (%(name)s, %(start)s, %(rows)s, %(labelled)s, %(labelled)s)
    ON CONFLICT (name, partition_start) DO UPDATE SET rows = excluded.rows, labelled = excluded.labelled,
        updated_at = now(), changed = (
            SELECT jsonb_object_agg(target, coalesce((known.changed ->> target)::bigint, 0) + count::bigint)
            FROM jsonb_each_text(%(changed)s) AS new (target, count)
        )
"""


def labelled(rows: pd.DataFrame, targets: Sequence[str]) -> dict[str, int]:
    """Rows with a value, by target."""
    return {target: int(rows[target].notna().sum()) for target in targets}


def changed(before: pd.DataFrame | None, rows: pd.DataFrame, targets: Sequence[str]) -> dict[str, int]:
    """Labelled rows, by target, that `before` has not, in all their columns; of a partition first made, all."""
    if before is None or list(before.columns) != list(rows.columns):
        return labelled(rows, targets)
    known = set(pd.util.hash_pandas_object(before, index=False))
    new = rows[~pd.util.hash_pandas_object(rows, index=False).isin(known).to_numpy()]
    return labelled(new, targets)


def counting(
    name: str, window: Window, before: pd.DataFrame | None, rows: pd.DataFrame, targets: Sequence[str]
) -> Callable[[Connection], None]:
    """What records the rows of a partition, the labelled ones, and those that changed, which are added up."""
    given = {
        "name": name,
        "start": window[0],
        "rows": len(rows),
        "labelled": Jsonb(labelled(rows, targets)),
        "changed": Jsonb(changed(before, rows, targets)),
    }

    def record(connection: Connection) -> None:
        connection.execute(_RECORD, given)

    return record
