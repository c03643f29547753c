"""Households to train on, with every input of the feature set."""

import numpy as np
import pandas as pd
import pytest

from assets.household_survey.features.household_vulnerability import BOUNDS, LEVELS, features


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Answers drawn at random, of ten surveys."""
    random, count = np.random.default_rng(0), 400
    answers = {name: random.lognormal(size=count) for name in features.names("numeric", "boolean")}
    answers |= {name: random.choice(["a", "b", "c"], count) for name in features.names("categorical")}
    value = random.lognormal(size=count)
    level = np.array(LEVELS)[(value[:, None] < np.array(BOUNDS)).sum(axis=1)]
    known = {"hhid": [f"h{number}" for number in range(count)], "survey_year": 2019, "partition_start": "2019-01-01"}
    surveys = [f"s{number % 10}" for number in range(count)]
    made = {
        **known,
        **answers,
        "survey_id": surveys,
        "value_ppp_per_person_per_day": value,
        "vulnerability_level": level,
    }
    return pd.DataFrame(made).astype({"partition_start": "datetime64[us]"})
