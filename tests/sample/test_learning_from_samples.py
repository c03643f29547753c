"""What is in a sample to learn: clearly more than nothing, far less than everything."""

import warnings

import numpy as np
import polars as pl
import pytest

from assets.household_survey.sample.households import parts, tables
from assets.household_survey.sample.surveys import plan_surveys

NUMBERS = (
    *("hh_size_members", "land_owned_ha", "land_cultivated_ha", "livestock_tlu", "crop_div", "lstk_div"),
    *("hdds_score", "farmhdds_score", "fies_score", "foodshortage_count", "population_2020", "travel_time_cities"),
)


@pytest.fixture(scope="module")
def households():
    surveys = plan_surveys(3000, 7, range(2019, 2024))
    hhinfo = pl.concat([tables(survey, part)["hhinfo"] for survey in surveys for part in parts(survey)])
    lcu = pl.col("total_income_lcu_per_year") + pl.col("value_farm_products_consumed_lcu_per_hh_per_year")
    value = lcu / (pl.col("currency_conversion_lcu_to_ppp") * 365 * pl.col("hh_size_members"))
    return hhinfo.with_columns(value=value).drop_nulls("value")


def test_a_plain_model_beats_chance_on_surveys_it_never_saw_but_is_far_from_perfect(households):
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, balanced_accuracy_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression(class_weight="balanced")
    )
    features = households.select(NUMBERS).cast(pl.Float64).to_numpy()
    vulnerable = (households["value"] < 1.77).to_numpy()
    with warnings.catch_warnings(action="ignore"):
        scores = cross_val_predict(
            model,
            features,
            vulnerable,
            groups=households["id_form"].to_numpy(),
            cv=GroupKFold(5),
            method="predict_proba",
        )[:, 1]
    assert 0.68 < balanced_accuracy_score(vulnerable, scores > 0.5) < 0.9
    assert average_precision_score(vulnerable, scores) > vulnerable.mean() + 0.12


@pytest.mark.parametrize("name", NUMBERS)
def test_no_single_attribute_gives_the_level_away(households, name):
    from sklearn.metrics import roc_auc_score

    known = households.drop_nulls(name)
    area = roc_auc_score((known["value"] < 1.77).to_numpy(), known[name].cast(pl.Float64).to_numpy())
    assert max(area, 1 - area) < 0.85


def test_values_spread_over_orders_of_magnitude_as_real_ones_do(households):
    low, middle, high = (households["value"].quantile(share) for share in (0.05, 0.5, 0.95))
    assert 0.4 < middle < 1.3
    assert np.log(high / low) > 4
