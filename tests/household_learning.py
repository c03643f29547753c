"""What the project learns of households, as declared, and as assets on a platform of a test's own."""

from dataclasses import replace
from typing import Any

import dagster as dg
from households import ITEMS

from lastmile.learning import FeatureSet, Model
from lastmile.learning.declarations.loading import Declared, load_features, load_models, load_reports
from lastmile.orchestration.learning.champions import champion_asset
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.io_manager import FeatureIOManager, PredictionIOManager
from lastmile.orchestration.learning.models import model_asset
from lastmile.orchestration.learning.predictions import prediction_asset
from lastmile.orchestration.learning.reports import report_asset
from lastmile.orchestration.learning.shared import (
    champion_key,
    features_key,
    model_key,
    predictions_key,
    relation_key,
    report_key,
)
from lastmile.orchestration.resources import Platform

HOUSEHOLDS: Declared[FeatureSet] = load_features("assets")["household_vulnerability"]
_DECLARED: Declared[Model] = load_models("assets")["vulnerability"]


def quick() -> Any:
    """Trained in a moment: the project's own estimator takes fifty times as long, and is tried on real surveys."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    features = HOUSEHOLDS.value
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    encode = make_column_transformer(
        (ordinal, features.names("categorical")),
        (numbers, [name for name in features.names("numeric", "boolean") if name not in ITEMS]),
    )
    return make_pipeline(encode, VarianceThreshold(), LogisticRegression(max_iter=50, tol=0.01))


#: The project's model of the vulnerability level, but for its estimator, on a fifth of its inputs.
VULNERABILITY = replace(
    _DECLARED,
    value=replace(
        _DECLARED.value,
        estimator=quick,
        learns_from=None,
        never=frozenset(ITEMS),
        task=replace(_DECLARED.value.task, common=()),
    ),
)


def learning_assets(
    features: Declared[FeatureSet] = HOUSEHOLDS, model: Declared[Model] = VULNERABILITY
) -> list[dg.AssetsDefinition]:
    """Everything made from the marts of households."""
    reports = [report_asset(report) for report in load_reports("assets").values() if report.domain == model.domain]
    return [feature_asset(features), model_asset(model), champion_asset(model), prediction_asset(model), *reports]


def learning_resources(platform: Platform) -> dict[str, object]:
    frames = {"features": FeatureIOManager(platform=platform), "predictions": PredictionIOManager(platform=platform)}
    return {"platform": platform, **frames}


FEATURES_KEY = features_key(HOUSEHOLDS.value.name)
MODEL_KEY, PREDICTIONS_KEY = model_key(VULNERABILITY.value.name), predictions_key(VULNERABILITY.value.name)
CHAMPION_KEY, REPORT_KEY = champion_key(VULNERABILITY.value.name), report_key("vulnerability")
MARTS = [relation_key(source) for source in HOUSEHOLDS.value.sources]
SURVEY_YEARS = HOUSEHOLDS.value.partition
LEVELS = HOUSEHOLDS.value.columns["vulnerability_level"].levels
