"""How well the vulnerability of real households is predicted, on surveys that the model never saw."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from assets.household_survey.features.household_vulnerability import features
from assets.household_survey.models.vulnerability import model
from lastmile.learning.evaluation.metrics import ranked_probability, surprise
from lastmile.learning.features.building import build
from lastmile.learning.training.fitting import fit, inputs, labelled, predicted, target
from lastmile.learning.training.folds import folds

LEVELS = list(model.task.levels)
#: What the first model of households had, which learned the levels themselves.
FEWER_INPUTS = [
    *("country", "large_region", "farming_system", "koeppen"),
    *("household_type", "hfias_status", "population_density", "travel_time_cities_minutes"),
    *("hh_size_members", "hh_size_mae", "land_owned_ha", "land_cultivated_ha"),
    *("livestock_tlu", "crop_count", "livestock_heads", "livestock_kinds"),
    *("livestock_product_kinds", "hdds_score", "farmhdds_score", "fies_score"),
    "food_shortage_months",
]
DRAWS = 200


def first_model(given: pd.DataFrame, levels: np.ndarray):
    categories = [name for name in given if given[name].dtype == object]
    numbers = [name for name in given if name not in categories]
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=20)
    encode = ColumnTransformer([("categories", ordinal, categories), ("numbers", "passthrough", numbers)])
    trees = HistGradientBoostingClassifier(
        learning_rate=0.05, max_leaf_nodes=15, l2_regularization=1.0, class_weight="balanced", random_state=0
    )
    return make_pipeline(encode, trees).fit(given, levels)


def vulnerable(found: np.ndarray) -> np.ndarray:
    return found[:, [LEVELS.index(level) for level in model.task.positive]].sum(axis=1)


@pytest.fixture
def rows(real) -> pd.DataFrame:
    years = [(date(year, 1, 1), date(year + 1, 1, 1)) for year in range(2015, 2020)]
    return labelled(model, pd.concat([build(real.connection, features, year) for year in years]))


def test_the_vulnerable_are_found_in_surveys_not_seen_and_better_than_by_learning_levels(rows):
    truth, given = target(model, rows), inputs(features, rows)
    found, named = np.zeros((len(rows), 4)), np.empty(len(rows), dtype=object)
    before = np.zeros((len(rows), 4))
    for training, unseen in folds(model, rows):
        fitted = fit(model, rows.iloc[training])
        found[unseen] = predicted(model, fitted, rows.iloc[unseen])
        named[unseen] = fitted.predict(given[model.inputs].iloc[unseen])
        first = first_model(given[FEWER_INPUTS].iloc[training], truth[training])
        places = [LEVELS.index(level) for level in first.classes_]
        before[np.ix_(unseen, places)] = first.predict_proba(given[FEWER_INPUTS].iloc[unseen])
    is_vulnerable = np.isin(truth, model.task.positive)
    ranks = [[LEVELS.index(level) for level in levels] for levels in (truth, named)]
    assert len(rows) > 2_400
    assert roc_auc_score(is_vulnerable, vulnerable(found)) >= 0.79
    assert surprise(model.task, truth, found).mean() <= 0.83
    assert ranked_probability(model.task, truth, found).mean() <= 0.165
    assert cohen_kappa_score(*ranks, weights="quadratic") >= 0.44
    gains = [
        roc_auc_score(is_vulnerable[drawn], vulnerable(found[drawn]))
        - roc_auc_score(is_vulnerable[drawn], vulnerable(before[drawn]))
        for drawn in surveys_drawn(rows["survey_id"].to_numpy())
    ]
    assert np.quantile(gains, 0.025) > 0.02


def surveys_drawn(surveys: np.ndarray):
    """Places of the rows of as many surveys as there are, drawn with replacement: errors are shared within a survey."""
    random, members = np.random.default_rng(0), {name: np.flatnonzero(surveys == name) for name in set(surveys)}
    names = sorted(members)
    for _ in range(DRAWS):
        yield np.concatenate([members[name] for name in random.choice(names, len(names))])
