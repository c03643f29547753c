"""Reasons of predictions: the inputs that make a row what it is predicted to be, with their direction."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fields import HARVEST, YIELD

from lastmile.learning.evaluation.metrics import probability_of_yes
from lastmile.learning.predictions import reasons as module
from lastmile.learning.predictions.reasons import reasons
from lastmile.learning.training.fitting import fit, predicted

IMPORTANCE = {"rain_mm": 0.5, "irrigated": 0.3, "soil": 0.2, "noise": 0.0}


def reasons_of(model, rows: pd.DataFrame, background: pd.DataFrame | None = None) -> list[list[dict]]:
    estimator = fit(model, background if background is not None else rows)
    found = predicted(model, estimator, rows)
    texts = reasons(model, estimator, rows, found, rows if background is None else background, IMPORTANCE)
    assert texts.index.equals(rows.index)
    return [json.loads(text) for text in texts]


def test_the_effect_is_what_a_typical_value_would_change_of_the_probability_of_yes(rows) -> None:
    estimator = fit(YIELD, rows)
    found = predicted(YIELD, estimator, rows)
    typical = predicted(YIELD, estimator, rows.assign(rain_mm=rows["rain_mm"].median()))
    expected = probability_of_yes(YIELD.task, found) - probability_of_yes(YIELD.task, typical)
    for row, said in enumerate(reasons_of(YIELD, rows)):
        effects = {one["input"]: one["effect"] for one in said}
        if "rain_mm" in effects:
            assert effects["rain_mm"] == pytest.approx(expected[row], rel=1e-3)
        sizes = [abs(one["effect"]) for one in said]
        assert sizes == sorted(sizes, reverse=True)
        assert len(sizes) <= 3


def test_little_rain_makes_poor_and_much_rain_does_not(rows) -> None:
    said, by_rain = reasons_of(YIELD, rows), rows["rain_mm"].to_numpy().argsort()
    for places, sign in ((by_rain[:30], 1), (by_rain[-30:], -1)):
        effects = [one["effect"] for row in places for one in said[row] if one["input"] == "rain_mm"]
        assert sign * np.mean(effects) > 0.1
    (rain,) = (one for one in said[by_rain[0]] if one["input"] == "rain_mm")
    assert rain["value"] == pytest.approx(rows["rain_mm"].min(), rel=1e-3)
    assert rain["typical"] == pytest.approx(rows["rain_mm"].median(), rel=1e-3)


def test_of_a_number_the_effect_is_in_its_unit(rows) -> None:
    said = reasons_of(HARVEST, rows)
    irrigated = rows.index[rows["irrigated"].astype(bool)]
    effects = [one["effect"] for row in irrigated for one in said[row] if one["input"] == "irrigated"]
    assert len(effects) == len(irrigated)
    assert np.mean(effects) == pytest.approx(2000, rel=0.1)


def test_a_value_that_is_missing_is_null_and_typical_rows_have_no_reason(rows) -> None:
    usual = {"soil": rows["soil"].mode()[0], "rain_mm": rows["rain_mm"].median(), "irrigated": False}
    given = rows.head(2).assign(**usual, noise=rows["noise"].median())
    given = given.assign(soil=given["soil"].where([True, False]))
    typical, without_soil = reasons_of(YIELD, given, background=rows)
    assert typical == []
    assert all(one["value"] is None for one in without_soil if one["input"] == "soil")


def test_an_input_that_no_row_has_is_no_reason(rows) -> None:
    given = rows.assign(rain_mm=np.nan)
    assert all(one["input"] != "rain_mm" for said in reasons_of(YIELD, given) for one in said)


def test_of_many_rows_those_most_at_risk_have_reasons(rows, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MOST_PREDICTIONS", 40)
    estimator = fit(YIELD, rows)
    found = predicted(YIELD, estimator, rows)
    texts = reasons(YIELD, estimator, rows, found, rows, IMPORTANCE)
    risk = pd.Series(probability_of_yes(YIELD.task, found))
    assert texts.notna().sum() == 10
    assert risk[texts.notna().to_numpy()].min() >= risk[texts.isna().to_numpy()].max()


def test_of_many_inputs_the_most_important_ones_are_looked_at(rows, monkeypatch) -> None:
    monkeypatch.setattr(module.effects, "INPUTS", 1)
    assert {one["input"] for said in reasons_of(YIELD, rows) for one in said} == {"rain_mm"}


def test_without_a_question_the_effect_is_on_the_likeliest_level(rows) -> None:
    model = replace(YIELD, task=replace(YIELD.task, question=None, positive=()))
    wettest = int(rows["rain_mm"].to_numpy().argmax())
    assert reasons_of(model, rows)[wettest][0]["effect"] > 0


def test_no_rows_have_no_reasons(rows) -> None:
    estimator = fit(YIELD, rows)
    none = rows.head(0)
    assert len(reasons(YIELD, estimator, none, predicted(YIELD, estimator, none), rows, IMPORTANCE)) == 0
