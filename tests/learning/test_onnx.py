"""ONNX: exported where it predicts what the model does, on every row compared; otherwise not, with the reason."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, HARVEST, LEVELS, YIELD, Fields, fields, trees
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from lastmile.learning import field
from lastmile.learning.estimators.numbers import Filled, Logarithm
from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.onnx_export import TOLERANCE, Exported, export
from lastmile.learning.registry.onnx_session import load_onnx, run, session
from lastmile.learning.registry.versions import ModelVersion
from lastmile.learning.training.fitting import fit, inputs, predicted


def ordinal(**options: Any) -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **options)
    return make_column_transformer((encoder, ["soil"]), remainder="passthrough")


def one_hot() -> Any:
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["soil"]), remainder="passthrough")


def boosted() -> Any:
    return HistGradientBoostingClassifier(max_iter=10, early_stopping=False, random_state=0)


def boosted_numbers() -> Any:
    trees = HistGradientBoostingRegressor(max_iter=10, early_stopping=False, random_state=0)
    return make_pipeline(ordinal(), trees)


def knowing_categories() -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    encode = make_column_transformer((encoder, ["soil"]), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingClassifier(categorical_features=[0], random_state=0))


def logistic() -> Any:
    return make_pipeline(one_hot(), SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression())


def both_kinds() -> Any:
    """Trees and a linear model of thresholds and numbers that are not the same on 32 bits."""
    rare = make_pipeline(ordinal(min_frequency=20), VarianceThreshold())
    numbers = make_pipeline(Logarithm(), Filled(), StandardScaler())
    texts = make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), OneHotEncoder(handle_unknown="ignore")
    )
    encode = make_column_transformer((texts, ["soil"]), (numbers, ["rain_mm", "irrigated"]))
    boosted = HistGradientBoostingRegressor(max_iter=10, early_stopping=False, random_state=0)
    return VotingRegressor([("trees", make_pipeline(rare, boosted)), ("linear", make_pipeline(encode, Ridge()))])


def xgboost_numbers() -> Any:
    from xgboost import XGBRegressor

    return make_pipeline(ordinal(), XGBRegressor(n_estimators=5, n_jobs=1))


def lightgbm_levels() -> Any:
    from lightgbm import LGBMClassifier

    return make_pipeline(ordinal(), LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1))


def lightgbm_numbers() -> Any:
    from lightgbm import LGBMRegressor

    return make_pipeline(ordinal(), LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1))


@pytest.fixture
def unseen() -> pd.DataFrame:
    """Other rows: texts never seen, texts and numbers missing, a flag missing."""
    rows = fields(200, seed=7)
    rows.loc[:20, "soil"] = None
    rows.loc[10:40, "rain_mm"] = np.nan
    rows.loc[30:50, "soil"] = "peat"
    return rows.assign(irrigated=rows["irrigated"].where(rows.index % 7 != 0))


@pytest.mark.parametrize(
    ("model", "estimator"),
    [
        (YIELD, trees),
        (YIELD, lambda: make_pipeline(ordinal(min_frequency=20), boosted())),
        (YIELD, lambda: make_pipeline(ordinal(), SimpleImputer(), RandomForestClassifier(20, random_state=0))),
        (YIELD, logistic),
        (HARVEST, HARVEST.estimator),
        (HARVEST, boosted_numbers),
        (HARVEST, both_kinds),
        (YIELD, lightgbm_levels),
        (HARVEST, lightgbm_numbers),
        (HARVEST, xgboost_numbers),
    ],
)
def test_an_export_predicts_what_the_model_does_where_inputs_are_missing_or_never_seen_too(
    model: Any, estimator: Callable[[], Any], unseen: pd.DataFrame, rows: pd.DataFrame
) -> None:
    model = replace(model, estimator=estimator)
    fitted = fit(model, rows)
    exported = export(model, fitted, unseen)
    assert exported.reason is None
    assert exported.parity["rows"] > len(unseen)
    assert exported.parity["largest_difference"] < TOLERANCE
    given, expected = inputs(model.features, unseen, model.inputs), predicted(model, fitted, unseen)
    found = run(session(exported.body), given)
    order = getattr(fitted, "classes_", None)
    by_level = [0] if order is None else [model.task.levels.index(level) for level in order]
    assert np.allclose(found, expected[:, by_level], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (knowing_categories, r"the converted model predicts otherwise than the model: \d+ of \d+ rows differ"),
        (lambda: make_pipeline(ordinal(), RandomForestClassifier(20, random_state=0)), "predicts otherwise"),
        (lambda: make_pipeline(one_hot(), SimpleImputer(), StandardScaler(), NoConverter()), "NoConverter"),
    ],
)
def test_a_model_that_converts_wrongly_or_not_at_all_has_no_export_but_a_reason(
    estimator: Callable[[], Any], reason: str, unseen: pd.DataFrame, rows: pd.DataFrame
) -> None:
    model = replace(YIELD, estimator=estimator)
    exported = export(model, fit(model, rows), unseen)
    assert exported.body is None
    assert re.search(reason, str(exported.reason))


class NoConverter(LogisticRegression):
    """Of which skl2onnx knows nothing."""


def test_one_row_that_differs_is_enough_to_have_no_export(
    rows: pd.DataFrame, unseen: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lastmile.learning.registry import onnx_export

    def nearly(*arguments: Any) -> Any:
        found = run(*arguments)
        found[-1] += 2 * TOLERANCE
        return found

    monkeypatch.setattr(onnx_export, "run", nearly)
    exported = export(YIELD, fit(YIELD, rows), unseen)
    assert exported.body is None
    assert "1 of" in str(exported.reason)


def test_rows_that_all_have_every_input_are_compared_with_missing_ones_all_the_same(rows: pd.DataFrame) -> None:
    model = replace(YIELD, estimator=lambda: make_pipeline(ordinal(), RandomForestClassifier(20, random_state=0)))
    exported = export(model, fit(model, rows), rows)
    assert exported.body is None  # the converter of forests is wrong about missing numbers only


def test_a_level_never_seen_has_no_probability_in_the_comparison_either(rows: pd.DataFrame) -> None:
    without = rows[rows["yield_level"] != "middle"]
    assert export(YIELD, fit(YIELD, without), rows).reason is None


def test_an_export_of_a_model_that_chose_its_inputs_needs_only_those(rows: pd.DataFrame) -> None:
    model = replace(YIELD, most_inputs=2)
    exported = export(model, fit(model, rows), rows)
    assert [wanted.name for wanted in session(exported.body).get_inputs()] == ["rain_mm", "irrigated"]


def kept(exported: Exported, store: Any) -> ModelVersion:
    onnx = exported.keep(store, "models/fields/1/model.onnx")
    row = dict.fromkeys(ModelVersion.__dataclass_fields__)
    return ModelVersion(**{**row, "name": "fields", "version": "1", "created_at": datetime.now(UTC), "onnx": onnx})


def test_an_export_is_loaded_by_its_digest_and_a_changed_one_is_refused(store: Any, rows: pd.DataFrame) -> None:
    fitted = fit(YIELD, rows)
    version = kept(export(YIELD, fitted, rows), store)
    found = run(load_onnx(store, version), inputs(FIELDS, rows))
    assert np.allclose(found, fitted.predict_proba(inputs(FIELDS, rows)), atol=TOLERANCE)
    store.put(version.onnx["key"], store.read(version.onnx["key"]) + b" ")
    with pytest.raises(ArtifactRefused, match="its sha256 is"):
        load_onnx(store, version)


def test_a_version_without_an_export_says_why(store: Any) -> None:
    version = kept(Exported(None, {}, "no converter"), store)
    assert version.onnx == {"reason": "no converter", "parity": {}}
    with pytest.raises(ArtifactRefused, match="fields version 1 has no ONNX export: no converter"):
        load_onnx(store, version)


def test_a_session_uses_one_thread(rows: pd.DataFrame) -> None:
    options = session(export(YIELD, fit(YIELD, rows), rows).body).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def levels_of_a_number() -> Any:
    levels, scale = pytest.importorskip("lastmile.learning.estimators.levels"), "lastmile.learning.estimators.scale"
    line = make_pipeline(one_hot(), SimpleImputer(), StandardScaler(), Ridge())
    both = VotingRegressor([("trees", boosted_numbers()), ("line", line)], weights=[2, 1])
    on_log_scale = import_module(scale).OnLogScale(both, 10.0, 1e6)
    return levels.LevelsFromNumber(on_log_scale, LEVELS, (3300.0, 2000.0))


def test_levels_learned_from_a_number_are_exported_with_their_probabilities(
    rows: pd.DataFrame, unseen: pd.DataFrame
) -> None:
    features = replace(FIELDS, schema=Both, targets=("yield_level", "harvest_kg"))
    model = replace(YIELD, features=features, learns_from="harvest_kg", estimator=levels_of_a_number)
    fitted = fit(model, rows.assign(harvest_kg=rows["harvest_kg"].clip(lower=100.0)))
    exported = export(model, fitted, unseen)
    assert exported.reason is None
    found = run(session(exported.body), inputs(features, unseen))
    assert np.abs(found - predicted(model, fitted, unseen)).max() < 1e-5
    assert np.allclose(found.sum(axis=1), 1)


class Both(Fields):
    harvest_kg: float = field("Harvest.", unit="kg")


def test_numbers_that_differ_on_64_bits_only_go_each_their_way_in_the_trees_of_an_export() -> None:
    rows = fields(400)
    rows = rows.assign(rain_mm=1 - 1e-9 * (rows["harvest_kg"] > rows["harvest_kg"].median()))
    model = replace(HARVEST, estimator=boosted_numbers)
    exported = export(model, fit(model, rows), rows)
    assert exported.reason is None
