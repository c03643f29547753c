"""The project's own models of households, trained, exported and served: levels of a number, and a number."""

from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from household_learning import HOUSEHOLDS
from serving.conftest import running

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.learning.declarations.loading import load_models
from lastmile.learning.evaluation.metrics import values
from lastmile.learning.features.building import stored
from lastmile.learning.features.online import online
from lastmile.learning.registry import deployments
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.onnx_export import export
from lastmile.learning.registry.versions import Candidate, register
from lastmile.learning.training.fitting import fit, labelled, predicted

FEATURES = HOUSEHOLDS.value
MODELS = {name: load_models("assets")[name].value for name in ("vulnerability", "household_value")}
WINDOW = (date(2020, 1, 1), date(2021, 1, 1))
BOUNDS = [2.15, 1.77, 1.25]


def households(count=400, seed=0):
    """Rows of the declared types; the value is of the first few numbers, and the level of the value."""
    random = np.random.default_rng(seed)
    columns = {}
    for one in FEATURES.inputs:
        if one.kind == "categorical":
            columns[one.name] = pd.Series(random.choice(list(one.levels) or list("abc"), count), dtype="str")
        elif one.kind == "boolean":
            columns[one.name] = pd.Series(random.random(count) < 0.5, dtype="boolean")
        else:
            columns[one.name] = pd.Series(random.gamma(2, 2, count)).mask(random.random(count) < 0.1)
    rows = pd.DataFrame(columns)
    numbers = rows[FEATURES.names("numeric")[:5]].fillna(4)
    value = np.exp((numbers.sum(axis=1) - 20) / 12 + random.normal(0.5, 0.3, count))
    levels = FEATURES.columns["vulnerability_level"].levels
    level = np.select([value >= bound for bound in BOUNDS], levels[:3], levels[3])
    return rows.assign(
        value_ppp_per_person_per_day=value,
        vulnerability_level=pd.Series(level, dtype="str"),
        hhid=[f"KE_{number}" for number in range(count)],
        survey_year=2020,
        survey_id=[f"survey {number % 8}" for number in range(count)],
        partition_start=pd.Timestamp(WINDOW[0]),
    )


@cache
def trained(name):
    """Once for both tests."""
    known = labelled(MODELS[name], kept())
    estimator = fit(MODELS[name], known)
    return estimator, export(MODELS[name], estimator, known.head(200), known)


@cache
def kept():
    """The households, of which fifty have no level yet."""
    rows = households()
    return rows.assign(**{name: rows[name].mask(rows.index < 50) for name in FEATURES.targets})


@pytest.fixture
def served(site, here):
    rows, estimators = kept(), {}
    stored(FEATURES).replace(
        site.connection, site.store, "2020", WINDOW, rows, lambda same: online(FEATURES).fill(same, WINDOW)
    )
    for name, model in MODELS.items():
        estimators[name], exported = trained(name)
        assert exported.reason is None
        made_of = {"recipe": "r", "rows": "d", "partitions": {}}
        scores = {"importance": {}, "interval": {"half_width": 0.5, "log": True}}
        made = Candidate(
            name, estimators[name], FEATURES.name, model.inputs, made_of, scores, trusted=model.trusted, onnx=exported
        )
        deployments.promote(site.connection, register(site.connection, site.store, made), None, Cause("first", "test"))
    publish(site.connection, catalogue([], [FEATURES], MODELS.values()))
    with running(here) as api, api.to("analyst") as client:
        yield rows, estimators, client


def test_households_are_predicted_as_the_pipelines_do(served):
    rows, estimators, client = served
    some = rows.head(50)
    ids = {"ids": [{"hhid": hhid} for hhid in some["hhid"]]}
    answer = client.post("/models/vulnerability/predict", json=ids).json()
    expected = predicted(MODELS["vulnerability"], estimators["vulnerability"], some)
    levels = MODELS["vulnerability"].task.levels
    found = [[one["probabilities"][level] for level in levels] for one in answer["predictions"]]
    assert np.allclose(found, expected, atol=1e-4)
    named = [one["level"] for one in answer["predictions"]]
    assert named == list(values(MODELS["vulnerability"], np.array(found)))
    assert all("measured" not in one for one in answer["predictions"])
    number = client.post("/models/household_value/predict", json=ids).json()
    expected = predicted(MODELS["household_value"], estimators["household_value"], some)[:, 0]
    assert np.allclose([one["value"] for one in number["predictions"]], expected, rtol=1e-4)
    assert np.allclose([one["high"] for one in number["predictions"]], expected * np.exp(0.5), rtol=1e-4)
    assert number["unit"] == "PPP$/person/day"


def test_a_household_whose_level_was_measured_is_shown_that_too(served):
    rows, _, client = served
    (one,) = client.post("/models/vulnerability/predict", json={"ids": ["KE_100"]}).json()["predictions"]
    assert one["measured"] == rows["vulnerability_level"][100]
