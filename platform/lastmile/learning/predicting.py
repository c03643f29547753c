"""Scoring rows with a registered model, and keeping the scores by partition, each naming the version it came from."""

from datetime import UTC, datetime

import polars as pl
from psycopg import Connection, sql
from psycopg.types.json import Jsonb
from sklearn.pipeline import Pipeline

from lastmile.learning import feature_table
from lastmile.learning.feature_set import FeatureSet
from lastmile.learning.registry import ModelVersion
from lastmile.learning.tables import Columns, Window, identifier, insert, names, replacing
from lastmile.learning.training import probabilities

_REMEMBER = """
    INSERT INTO registry.predictions (name, partition_start, model_name, model_version, rows, run_id)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (name, partition_start) DO UPDATE SET model_name = excluded.model_name,
        model_version = excluded.model_version, rows = excluded.rows, run_id = excluded.run_id, predicted_at = now()
"""


def predict(features: FeatureSet, model: Pipeline, rows: pl.DataFrame) -> pl.DataFrame:
    """One line per row: the target's likeliest level, then each level's probability; they add up to one."""
    found = probabilities(features, model, rows)
    levels = pl.Series(features.target, [features.levels[place] for place in found.argmax(axis=1)], pl.String)
    shares = [pl.Series(name, found[:, place]) for place, name in enumerate(features.probability_columns())]
    return pl.DataFrame([levels, *shares])


def columns(features: FeatureSet) -> Columns:
    """Names and Postgres types of a predictions table."""
    who: Columns = {**features.entity, features.group: "text", features.partition_column: "date"}
    found: Columns = {features.target: "text", **dict.fromkeys(features.probability_columns(), "double precision")}
    return {**who, **found, "model_name": "text", "model_version": "text", "predicted_at": "timestamp with time zone"}


def replace_predictions(
    connection: Connection,
    name: str,
    features: FeatureSet,
    version: ModelVersion,
    model: Pipeline,
    window: Window,
    run_id: str,
) -> dict[str, int]:
    """Score the partition's rows into the table `predictions.<name>`, in place of what it had; rows by level.

    The registry's row about the partition is written in the same transaction.
    """
    rows = feature_table.rows(connection, features, window)
    found = predict(features, model, rows)
    who = rows.select(*features.entity, features.group, features.partition_column)
    scored = pl.concat([who, found], how="horizontal").with_columns(
        model_name=pl.lit(version.name), model_version=pl.lit(version.version), predicted_at=pl.lit(datetime.now(UTC))
    )
    levels = dict(found[features.target].value_counts().sort("count", descending=True).iter_rows())
    table = f"predictions.{name}"
    with replacing(connection, table, columns(features), features.partition_column, window):
        insert(connection, table, scored)
        connection.execute(_REMEMBER, [name, window[0], version.name, version.version, Jsonb(levels), run_id])
    return levels


def wrongly_predicted(connection: Connection, name: str, features: FeatureSet, window: Window) -> int:
    """Entities that have not exactly one prediction in the partition, or have one and are not among its features."""
    day = sql.Identifier(features.partition_column)
    key = names(list(features.entity))
    counted = sql.SQL("SELECT {key}, count(*) FROM {table} WHERE {day} >= %(start)s AND {day} < %(end)s GROUP BY {key}")
    expected, found = (
        counted.format(key=key, table=identifier(table), day=day) for table in (features.table, f"predictions.{name}")
    )
    query = sql.SQL(
        "SELECT count(*) FROM ({}) AS expected FULL JOIN ({}) AS found USING ({})"
        " WHERE expected.count IS DISTINCT FROM found.count"
    ).format(expected, found, key)
    row = connection.execute(query, {"start": window[0], "end": window[1]}).fetchone()
    return row[0] if row else 0
