"""Making the rows of a feature set: from its sources through the declared function or SQL, held to its schema."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import numpy as np
import pandas as pd
from pandera.errors import SchemaError, SchemaErrors
from psycopg import ClientCursor, Connection, sql

from lastmile.errors import UserError
from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.features import changes
from lastmile.learning.frames import PartitionedFrame
from lastmile.learning.relations import Window, identifier, names
from lastmile.learning.tables import read
from lastmile.store import Store

#: Faults named in a message, and rows of a sample from a source that does not know the entity.
_MOST_FAULTS, _MOST_ROWS = 10, 10_000


class UnfitRows(UserError):
    """What was made is not as the feature set's schema declares; the message says where."""


def stored(features: FeatureSet) -> PartitionedFrame:
    """Where the rows are kept."""
    return PartitionedFrame("features", features.name, features.partition_column)


def keep(
    connection: Connection,
    store: Store,
    features: FeatureSet,
    partition: str,
    window: Window,
    rows: pd.DataFrame,
    also: Callable[[Connection], None] = lambda _: None,
) -> None:
    """Put the rows in place of the partition's, and count what changed; what `also` writes commits with it."""
    kept = stored(features)
    counting = changes.counting(features.name, window, kept.of(store, partition), rows, features.targets)

    def record(connection: Connection) -> None:
        counting(connection)
        also(connection)

    kept.replace(connection, store, partition, window, rows, record)


@contextmanager
def snapshot(connection: Connection, features: FeatureSet) -> Iterator[None]:
    """All sources as they are at one moment: dbt replaces none meanwhile, and the lock comes before the snapshot, which
    would see no rows in a table swapped in after it."""
    tables = sql.SQL(", ").join(map(identifier, features.sources))
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(tables))
        yield


def build(connection: Connection, features: FeatureSet, window: Window) -> pd.DataFrame:
    """The rows of one partition, sorted by entity. Raises UnfitRows."""
    if features.query is not None:
        frame = read(connection, _bound(connection, features.query, window))
    else:
        frame = make(features, sources(connection, features, window))
    return conform(features, frame, window)


def sources(connection: Connection, features: FeatureSet, window: Window) -> dict[str, pd.DataFrame]:
    """Each source by its table's name: its rows of the partition where it knows partitions, else all."""
    found = {}
    for name, source in features.tables().items():
        query = sql.SQL("SELECT * FROM {}").format(identifier(source))
        if features.partition_column in _columns(connection, source):
            query += _within(features, window)
        found[name] = read(connection, query)
    return found


def sources_of(connection: Connection, features: FeatureSet, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The sources' rows about the entities of `rows`; of a source that does not know the entity, some of its rows."""
    key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in features.entity)
    values = [sql.SQL("{}::text[]").format(sql.Literal(list(rows[name].astype(str)))) for name in features.entity]
    wanted = sql.SQL(" WHERE ({}) IN (SELECT * FROM unnest({}))").format(key, sql.SQL(", ").join(values))
    some = sql.SQL(" LIMIT {}").format(sql.Literal(_MOST_ROWS))
    found = {}
    for name, source in features.tables().items():
        query = sql.SQL("SELECT * FROM {}").format(identifier(source))
        knows_entity = set(features.entity) <= _columns(connection, source)
        found[name] = read(connection, query + (wanted if knows_entity else some))
    return found


def make(features: FeatureSet, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the declared function makes of the sources' frames, its columns those of the schema. Raises UnfitRows."""
    if features.make is None:
        raise ValueError(f"{features.name} is made by SQL")
    frame = features.make(**frames)
    missing = [name for name in features.columns if name not in frame.columns]
    if missing:
        raise UnfitRows(f"{features.name}: its function returns no columns {missing}, which its schema declares")
    return frame[list(features.columns)]


def conform(features: FeatureSet, frame: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The frame in the schema's types, with its partition, sorted by entity. Raises UnfitRows."""
    schema = features.schema.to_schema()
    schema.coerce = True
    try:
        rows = schema.validate(frame[[name for name in features.columns if name in frame.columns]], lazy=True)
    except (SchemaErrors, SchemaError) as error:
        raise UnfitRows(f"{features.name}: {_faults(error)}") from None
    entity = list(features.entity)
    if (twice := rows[rows.duplicated(entity)]).size:
        raise UnfitRows(
            f"{features.name}: {len(twice)} rows repeat an entity, such as {twice[entity].iloc[0].to_dict()}"
        )
    endless = {name: int(np.isinf(rows[name].astype("float64")).sum()) for name in features.names("numeric")}
    if any(endless.values()):
        found = {name: count for name, count in endless.items() if count}
        raise UnfitRows(f"{features.name}: infinite values, by column {found}: divided by zero?")
    rows = rows.copy()  # of many coerced columns, each a block of its own: pandas warns of the next one
    rows.insert(len(entity), features.partition_column, pd.Timestamp(window[0]))
    rows = rows.astype({features.partition_column: "datetime64[us]"})
    return rows.sort_values(entity, ignore_index=True)


def expected(connection: Connection, features: FeatureSet, window: Window) -> int:
    """Entities that the first source has in the partition: so many rows there must be."""
    source = features.sources[0]
    query = sql.SQL("SELECT count(DISTINCT ({})) FROM {}").format(names(list(features.entity)), identifier(source))
    if features.partition_column in _columns(connection, source):
        query += _within(features, window)
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def days_with_rows(connection: Connection, features: FeatureSet) -> set[date] | None:
    """First days of partitions that have rows, or had when they were last made; None where the first source does not
    know partitions."""
    source, day = features.sources[0], sql.Identifier(features.partition_column)
    if features.partition_column not in _columns(connection, source):
        return None
    tables = [table for table in (source, features.table) if _columns(connection, table)]
    query = sql.SQL(" UNION ").join(
        sql.SQL("SELECT {}::date FROM {}").format(day, identifier(table)) for table in tables
    )
    return {found for (found,) in connection.execute(query).fetchall()}


def _within(features: FeatureSet, window: Window) -> sql.Composed:
    day, (start, end) = sql.Identifier(features.partition_column), map(sql.Literal, window)
    return sql.SQL(" WHERE {day} >= {start} AND {day} < {end}").format(day=day, start=start, end=end)


def _bound(connection: Connection, query: str, window: Window) -> sql.SQL:
    bound = ClientCursor(connection).mogrify(query, {"start": window[0], "end": window[1]})
    return sql.SQL(bound.replace("{", "{{").replace("}", "}}"))


def _columns(connection: Connection, table: str) -> set[str]:
    found = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped", [table]
    )
    return {name for (name,) in found.fetchall()}


def _faults(error: SchemaErrors | SchemaError) -> str:
    """One sentence for each column and check that failed, with how many rows and an example."""
    cases = error.failure_cases
    if not isinstance(cases, pd.DataFrame) or "column" not in cases:
        return str(error)
    found = [
        f"{column}: {check} fails in {len(rows)} rows, such as {rows['failure_case'].iloc[0]!r}"
        for (column, check), rows in cases.groupby(["column", "check"], dropna=False)
    ]
    return "; ".join(found[:_MOST_FAULTS])
