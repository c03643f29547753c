"""LightGBM and XGBoost: declared like any estimator, kept and loaded by the types that the declaration names."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from fields import HARVEST, YIELD, fields
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from lastmile.errors import UserError
from lastmile.learning import Model
from lastmile.learning.registry import versions as registry
from lastmile.learning.registry.versions import ArtifactRefused, Candidate
from lastmile.learning.training.fitting import fit, predicted
from lastmile.store import Store

LIGHTGBM = ("collections.OrderedDict", "lightgbm.basic.Booster")
XGBOOST = ("xgboost.core.Booster",)


def after_encoding(learn: Any) -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(make_column_transformer((encoder, ["soil"]), remainder="passthrough"), learn)


def lightgbm_levels() -> Any:
    from lightgbm import LGBMClassifier

    return after_encoding(LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1))


def lightgbm_number() -> Any:
    from lightgbm import LGBMRegressor

    return after_encoding(LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1))


def xgboost_levels() -> Any:
    """XGBoost's own classifier refuses levels that are texts; within a vote of one it is given their numbers."""
    from xgboost import XGBClassifier

    return after_encoding(VotingClassifier([("trees", XGBClassifier(n_estimators=5, n_jobs=1))], voting="soft"))


def xgboost_number() -> Any:
    from xgboost import XGBRegressor

    return after_encoding(XGBRegressor(n_estimators=5, n_jobs=1))


DECLARED = [
    replace(YIELD, estimator=lightgbm_levels, trusted=(*LIGHTGBM, "lightgbm.sklearn.LGBMClassifier")),
    replace(HARVEST, estimator=lightgbm_number, trusted=(*LIGHTGBM, "lightgbm.sklearn.LGBMRegressor")),
    replace(
        YIELD,
        estimator=xgboost_levels,
        trusted=(*XGBOOST, "xgboost.sklearn.XGBClassifier", "sklearn.utils._bunch.Bunch"),
    ),
    replace(HARVEST, estimator=xgboost_number, trusted=(*XGBOOST, "xgboost.sklearn.XGBRegressor")),
]


def candidate(model: Model, rows: pd.DataFrame) -> Candidate:
    return Candidate(
        name=model.name,
        estimator=fit(model, rows),
        feature_set=model.features.name,
        features=model.inputs,
        data_versions={"recipe": "r1", "rows": "d1"},
        scores={},
        trusted=model.trusted,
    )


@pytest.mark.parametrize("model", DECLARED, ids=lambda model: model.trusted[-1])
def test_a_registered_version_predicts_the_same_when_it_is_loaded(
    model: Model, connection: psycopg.Connection, store: Store, rows: pd.DataFrame
) -> None:
    made = candidate(model, rows)
    loaded = registry.load(store, registry.register(connection, store, made), model.trusted)
    assert np.array_equal(predicted(model, loaded, fields(seed=5)), predicted(model, made.estimator, fields(seed=5)))


@pytest.mark.parametrize("model", DECLARED, ids=lambda model: model.trusted[-1])
def test_types_that_the_declaration_does_not_name_are_refused(
    model: Model, connection: psycopg.Connection, store: Store, rows: pd.DataFrame
) -> None:
    with pytest.raises(ArtifactRefused, match=r"Booster.* name them in `trusted` of its declaration"):
        registry.register(connection, store, replace(candidate(model, rows), trusted=()))


@pytest.mark.parametrize(
    ("package", "estimator"), [("lightgbm", lightgbm_number), ("xgboost", xgboost_number)], ids=["lightgbm", "xgboost"]
)
def test_without_its_package_the_error_names_the_extra(
    package: str, estimator: Callable[[], Any], rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    said = rf"model harvest needs the package {package}: install lastmile\[{package}\]"
    with pytest.raises(UserError, match=said):
        fit(replace(HARVEST, estimator=estimator), rows)


def test_a_module_that_no_extra_installs_is_missing_as_ever(rows: pd.DataFrame) -> None:
    def mistyped() -> Any:
        import lightgmb  # type: ignore[import-not-found]  # noqa: F401

    with pytest.raises(ModuleNotFoundError, match="lightgmb"):
        fit(replace(HARVEST, estimator=mistyped), rows)
