"""The table of a feature set: filled from its sources by partition, read back for training and predicting."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import LiteralString

import polars as pl
from psycopg import Connection, sql

from lastmile.learning.feature_set import FeatureSet, Kind
from lastmile.learning.tables import Columns, Window, identifier, names, read, replacing

_TYPES: dict[Kind, LiteralString] = {"numeric": "double precision", "categorical": "text", "boolean": "boolean"}


def columns(features: FeatureSet) -> Columns:
    """Names and Postgres types: who, which group, which partition, the inputs, the target (null where unknown)."""
    who: Columns = {**features.entity, features.group: "text", features.partition_column: "date"}
    inputs = {feature.name: _TYPES[feature.kind] for feature in features.inputs}
    return {**who, **inputs, features.target: "text"}


def fill(connection: Connection, features: FeatureSet, window: Window) -> int:
    """Replace the partition by what the sources hold for it, inside Postgres; returns the number of rows."""
    own = [name for name in columns(features) if name != features.target]
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}, {target}) SELECT {own}, labelled.{target} FROM {source} AS described"
        " LEFT JOIN {target_source} AS labelled USING ({key}) WHERE described.{day} >= %s AND described.{day} < %s"
    ).format(
        table=identifier(features.table),
        columns=names(own),
        own=sql.SQL(", ").join(_from(features, "described", name) for name in own),
        target=sql.Identifier(features.target),
        source=identifier(features.source),
        target_source=identifier(features.target_source),
        key=names(list(features.entity)),
        day=sql.Identifier(features.partition_column),
    )
    with replacing(connection, features.table, columns(features), features.partition_column, window):
        return connection.execute(statement, window).rowcount


def _from(features: FeatureSet, table: str, name: str) -> sql.Composed:
    """The column in the type the features' table has it in; what a join merges belongs to neither side."""
    column = sql.Identifier(name) if name in features.entity else sql.Identifier(table, name)
    return sql.SQL("{}::{}").format(column, sql.SQL(columns(features)[name]))


def rows(connection: Connection, features: FeatureSet, window: Window | None = None) -> pl.DataFrame:
    """The table's rows, of one partition or of all, ordered by entity. The same rows always come out the same."""
    found, day = columns(features), sql.Identifier(features.partition_column)
    within = sql.SQL("WHERE {day} >= {} AND {day} < {}").format(*window, day=day) if window else sql.SQL("")
    query = sql.SQL("SELECT {} FROM {} {}").format(names(list(found)), identifier(features.table), within)
    return read(connection, query, found).sort(list(features.entity))


def labelled_sample(
    connection: Connection, features: FeatureSet, quantities: Sequence[str], most: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Up to `most` labelled rows, always the same ones, and in the same order those columns of the target's source
    named in `quantities` that are real numbers."""
    numbers = [name for name in quantities if name in _real_numbers(connection, features.target_source)]
    own, key = columns(features), names(list(features.entity))
    beside: Columns = dict.fromkeys((f"measured {name}" for name in numbers), "double precision")
    query = sql.SQL(
        "SELECT {own}{numbers} FROM (SELECT * FROM {table} WHERE {target} IS NOT NULL) AS known"
        " JOIN {source} AS measured USING ({key}) ORDER BY hashtext(({key})::text), {key} LIMIT {most}"
    ).format(
        own=sql.SQL(", ").join(_from(features, "known", name) for name in own),
        numbers=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier("measured", name)) for name in numbers),
        table=identifier(features.table),
        source=identifier(features.target_source),
        key=key,
        target=sql.Identifier(features.target),
        most=most,
    )
    found = read(connection, query, {**own, **beside})
    return found.select(*own), found.select(pl.col(name).alias(name.removeprefix("measured ")) for name in beside)


def _real_numbers(connection: Connection, table: str) -> set[str]:
    found = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND atttypid = 'double precision'::regtype",
        [table],
    )
    return {name for (name,) in found.fetchall()}


def sources_count(connection: Connection, features: FeatureSet, window: Window) -> int:
    """Entities that the source has in the partition: so many rows the table must have."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE {day} >= %s AND {day} < %s").format(
        identifier(features.source), day=sql.Identifier(features.partition_column)
    )
    found = connection.execute(query, window).fetchone()
    return found[0] if found else 0


def content(rows: pl.DataFrame) -> str:
    """A hash of the rows' values: sixteen hex digits."""
    return hashlib.sha256(rows.write_csv().encode()).hexdigest()[:16]


def contents(features: FeatureSet, rows: pl.DataFrame) -> Mapping[str, str]:
    """The hash of each partition's rows, by first day."""
    parts = rows.partition_by(features.partition_column, as_dict=True, maintain_order=True)
    return {str(day): content(part) for (day,), part in sorted(parts.items())}
