"""Predictions: one per row, naming the version that made them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, HARVEST, LEVELS, WINDOW_2020, YIELD

from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.predictions.prediction import counted, counts, predict, predictions, record
from lastmile.learning.registry.versions import Candidate, register
from lastmile.learning.training.fitting import fit


@pytest.fixture
def estimator(rows: pd.DataFrame):
    return fit(YIELD, rows)


@pytest.fixture
def version(connection, store, estimator):
    made_of = {"recipe": "r", "rows": "d"}
    candidate = Candidate("fields", estimator, FIELDS.name, FIELDS.names(), made_of, {"dummy": {}})
    return register(connection, store, candidate)


def test_every_row_gets_its_likeliest_level(estimator, rows) -> None:
    found = predict(YIELD, estimator, rows)
    shares = found[YIELD.task.probability_columns()]
    assert list(found["yield_level"]) == [LEVELS[place] for place in shares.to_numpy().argmax(axis=1)]


def test_a_number_is_predicted_as_a_number(rows) -> None:
    estimator = train_and_evaluate(HARVEST, rows).estimator
    found = predict(HARVEST, estimator, rows)
    assert list(found.columns) == ["harvest_kg"]
    assert found["harvest_kg"].corr(rows["harvest_kg"]) > 0.9


def test_predictions_say_who_by_which_version_and_when(estimator, version, rows) -> None:
    found = predictions(YIELD, version, estimator, rows)
    pd.testing.assert_frame_equal(found[["field", "village", "season"]], rows[["field", "village", "season"]])
    assert set(found["model_name"] + " " + found["model_version"]) == {"fields 1"}
    assert found["predicted_at"].dt.tz is not None


def test_a_group_that_is_part_of_the_entity_stands_once(estimator, version, rows) -> None:
    model = replace(YIELD, features=replace(FIELDS, entity=("field", "village")))
    assert list(predictions(model, version, estimator, rows).columns[:3]) == ["field", "village", "season"]


def test_no_rows_are_predicted_as_no_rows_of_the_same_types(estimator, version, rows) -> None:
    none, some = (predictions(YIELD, version, estimator, part) for part in (rows.head(0), rows))
    assert none.dtypes.equals(some.dtypes)
    assert none.attrs == {"model": "fields", "version": "1", "target": "yield_level"}
    assert counts(YIELD, none) == {}


def test_the_registry_knows_which_version_predicted_how_many_of_each_level(
    connection, estimator, version, rows
) -> None:
    levels = counts(YIELD, predict(YIELD, estimator, rows))
    for found in ({"low": 1}, levels):
        record(connection, "fields", WINDOW_2020, ("fields", "1"), found, "run 1")
    found = connection.execute("SELECT name, partition_start, model_version, rows, run_id FROM registry.predictions")
    assert found.fetchall() == [("fields", WINDOW_2020[0], "1", levels, "run 1")]
    assert sum(levels.values()) == len(rows)


def test_each_row_has_the_probability_of_yes_and_its_reasons(estimator, version, rows) -> None:
    found = predictions(YIELD, version, estimator, rows)
    assert found["probability_poor"].equals(found["probability_low"])
    assert all(isinstance(json.loads(text), list) for text in found["reasons"])


@pytest.mark.parametrize(
    ("interval", "low", "high"),
    [
        ({"half_width": 100.0, "log": False, "coverage": 0.9}, lambda value: value - 100, lambda value: value + 100),
        ({"half_width": np.log(2), "log": True, "coverage": 0.9}, lambda value: value / 2, lambda value: value * 2),
        ({}, lambda value: value * np.nan, lambda value: value * np.nan),
    ],
    ids=["equally wide", "on a logarithmic scale", "none"],
)
def test_a_number_has_the_interval_of_its_version(version, rows, interval, low, high) -> None:
    version = replace(version, scores={"interval": interval})
    found = predictions(HARVEST, version, fit(HARVEST, rows), rows)
    np.testing.assert_allclose(found["harvest_kg_low"], low(found["harvest_kg"]))
    np.testing.assert_allclose(found["harvest_kg_high"], high(found["harvest_kg"]))


def test_numbers_are_counted_as_rows_not_one_by_one(version, rows) -> None:
    found = predictions(HARVEST, version, fit(HARVEST, rows), rows)
    assert counts(HARVEST, found) == counted(found, "harvest_kg") == {"harvest_kg": len(rows)}


def test_columns_name_levels_as_sql_does() -> None:
    from lastmile.learning import Classification

    assert Classification(("On Track", "low")).probability_columns() == ["probability_on_track", "probability_low"]
