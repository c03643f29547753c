"""Predictions: one per entity, replaced by partition, naming the version that made them."""

import polars as pl
import psycopg
import pytest
from fields import FIELDS, SEASONS, WINDOW_2020, WINDOW_2021

from lastmile.learning import feature_table
from lastmile.learning.predicting import predict, replace_predictions, wrongly_predicted
from lastmile.learning.registry import Candidate, ModelVersion, register
from lastmile.learning.training import fit
from lastmile.store import Store


@pytest.fixture
def versions(connection: psycopg.Connection, store: Store, marts: pl.DataFrame) -> list[tuple[ModelVersion, object]]:
    """Two versions of a model, of all fields and of half of them."""
    for window in (WINDOW_2020, WINDOW_2021):
        feature_table.fill(connection, FIELDS, window)
    known = marts.drop_nulls("yield_level")
    found = []
    for rows in (known, known.head(150)):
        model = fit(FIELDS, rows)
        made_of = {"recipe": "r", "rows": feature_table.content(rows)}
        candidate = Candidate("fields", model, FIELDS.name, FIELDS.names(), made_of, {"dummy": {}})
        found.append((register(connection, store, candidate), model))
    return found


def put(connection, version, window=WINDOW_2020):
    return replace_predictions(connection, "fields", FIELDS, *version, window, "run 1")


def test_every_row_gets_its_likeliest_level(rows: pl.DataFrame) -> None:
    found = predict(FIELDS, fit(FIELDS, rows), rows)
    shares = found.select(FIELDS.probability_columns())
    assert found["yield_level"].to_list() == [FIELDS.levels[row.index(max(row))] for row in shares.iter_rows()]


def test_every_field_of_the_partition_is_predicted_also_those_without_a_level(connection, versions, marts) -> None:
    levels = put(connection, versions[0])
    fields = [name for (name,) in connection.execute("SELECT field FROM predictions.fields ORDER BY field").fetchall()]
    assert fields == sorted(marts.filter(pl.col("season") == SEASONS[0])["field"])
    assert sum(levels.values()) == len(fields)
    assert wrongly_predicted(connection, "fields", FIELDS, WINDOW_2020) == 0


def test_predicting_again_replaces_the_partition_and_no_other(connection, versions) -> None:
    put(connection, versions[0])
    put(connection, versions[0], WINDOW_2021)
    put(connection, versions[1])
    found = connection.execute(
        "SELECT season, array_agg(DISTINCT model_version), count(*) = count(DISTINCT field) FROM predictions.fields"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert found == [(SEASONS[0], ["2"], True), (SEASONS[1], ["1"], True)]


def test_the_registry_knows_which_version_predicted_how_many_of_each_level(connection, versions) -> None:
    for version in versions:
        levels = put(connection, version)
    found = connection.execute(
        "SELECT name, partition_start, model_version, rows, run_id FROM registry.predictions"
    ).fetchall()
    assert found == [("fields", SEASONS[0], "2", levels, "run 1")]


def test_a_field_without_a_prediction_or_with_two_is_noticed(connection, versions) -> None:
    put(connection, versions[0])
    connection.execute("DELETE FROM predictions.fields WHERE field = (SELECT min(field) FROM predictions.fields)")
    connection.execute("INSERT INTO predictions.fields SELECT * FROM predictions.fields ORDER BY field LIMIT 1")
    assert wrongly_predicted(connection, "fields", FIELDS, WINDOW_2020) == 2


def test_a_partition_without_rows_is_predicted_empty(connection, versions) -> None:
    from datetime import date

    assert put(connection, versions[0], (date(2015, 1, 1), date(2016, 1, 1))) == {}
