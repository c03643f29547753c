"""The registry: versions go up by one, say what made them, and only the registered artifact is read."""

import hashlib
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
import skops.io
from fields import FIELDS, YIELD
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import all_estimators
from skops.io.exceptions import UnsupportedTypeException

from lastmile.learning.registry import versions as registry
from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.versions import Candidate
from lastmile.learning.training.fitting import fit, predicted
from lastmile.store import Store


@pytest.fixture
def candidate(rows: pd.DataFrame) -> Candidate:
    return Candidate(
        name="fields",
        estimator=fit(YIELD, rows),
        feature_set=FIELDS.name,
        features=FIELDS.names(),
        data_versions={"recipe": "r1", "rows": "d1", "drops": [1, 2], "partitions": {"2020-01-01": "abc"}},
        scores={"balanced_accuracy": 0.7, "dummy": {"balanced_accuracy": 0.3}},
        run_id="run 1",
    )


def made_of(candidate: Candidate, **changes: Any) -> Candidate:
    return replace(candidate, data_versions={**candidate.data_versions, **changes})


def test_the_first_version_is_1_and_says_what_made_it(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    version = registry.register(connection, store, candidate)
    assert (version.version, version.artifact_key) == ("1", "models/fields/1/model.skops")
    assert version.data_versions == candidate.data_versions
    assert (version.features, version.scores, version.run_id) == (FIELDS.names(), candidate.scores, "run 1")
    assert version.sha256 == hashlib.sha256(store.read(version.artifact_key)).hexdigest()
    assert registry.latest(connection, "fields") == version


def test_the_same_rows_and_recipe_make_no_second_version(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    first = registry.register(connection, store, candidate)
    assert registry.register(connection, store, replace(candidate, run_id="run 2")) == first


@pytest.mark.parametrize("changed", [{"rows": "d2"}, {"recipe": "r2"}])
def test_other_rows_or_another_recipe_make_the_next_version(
    connection: psycopg.Connection, store: Store, candidate: Candidate, changed: dict[str, str]
) -> None:
    registry.register(connection, store, candidate)
    assert registry.register(connection, store, made_of(candidate, **changed)).version == "2"


def test_going_back_to_earlier_rows_is_a_version_of_its_own(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    for rows in ("d1", "d2", "d1"):
        version = registry.register(connection, store, made_of(candidate, rows=rows))
    assert version.version == "3"


def test_version_10_comes_after_version_9(connection: psycopg.Connection, store: Store, candidate: Candidate) -> None:
    for number in range(10):
        registry.register(connection, store, made_of(candidate, rows=f"d{number}"))
    newest = registry.latest(connection, "fields")
    assert newest is not None
    assert newest.version == "10"


def test_models_of_different_names_count_for_themselves(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    registry.register(connection, store, candidate)
    assert registry.register(connection, store, replace(candidate, name="orchards")).version == "1"


def test_a_loaded_model_predicts_what_the_trained_one_did(
    connection: psycopg.Connection, store: Store, candidate: Candidate, rows: pd.DataFrame
) -> None:
    version = registry.register(connection, store, candidate)
    loaded = registry.load(store, version)
    assert np.array_equal(predicted(YIELD, loaded, rows), predicted(YIELD, candidate.estimator, rows))


def test_an_artifact_with_other_bytes_is_refused(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    version = registry.register(connection, store, candidate)
    store.put(version.artifact_key, store.read(version.artifact_key) + b" ")
    with pytest.raises(ArtifactRefused, match="sha256"):
        registry.load(store, version)


def test_an_artifact_that_would_call_a_function_is_refused_even_where_its_hash_is_registered(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    version = registry.register(connection, store, candidate)
    body = skops.io.dumps(Pipeline([("attack", FunctionTransformer(os.system))]))
    store.put(version.artifact_key, body)
    with pytest.raises(ArtifactRefused, match="system"):
        registry.load(store, replace(version, sha256=hashlib.sha256(body).hexdigest()))


def test_a_registration_that_died_before_its_row_leaves_its_number_to_the_next(
    connection: psycopg.Connection, store: Store, candidate: Candidate
) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        registry.register(connection, store, replace(candidate, feature_set=None))  # type: ignore[arg-type]
    assert store.exists("models/fields/1/model.skops")
    assert registry.latest(connection, "fields") is None
    version = registry.register(connection, store, candidate)
    assert version.version == "1"
    registry.load(store, version)


class Doubling(TransformerMixin, BaseEstimator):
    """A transformer of somebody's own."""

    def fit(self, rows, target=None):
        return self

    def transform(self, rows):
        return rows * 2


def test_an_estimator_of_types_nobody_trusts_is_not_registered(connection, store, candidate) -> None:
    own = replace(candidate, estimator=Pipeline([("double", Doubling())]))
    with pytest.raises(ArtifactRefused, match=r"model fields .*Doubling.*`trusted`"):
        registry.register(connection, store, own)
    assert registry.latest(connection, "fields") is None


def test_types_that_the_declaration_trusts_are_registered_and_loaded(connection, store, candidate) -> None:
    trusted = (f"{Doubling.__module__}.Doubling",)
    own = replace(candidate, estimator=Pipeline([("double", Doubling())]), trusted=trusted)
    version = registry.register(connection, store, own)
    assert registry.load(store, version, trusted)["double"].transform(2) == 4
    with pytest.raises(ArtifactRefused, match="Doubling"):
        registry.load(store, version)


@pytest.mark.filterwarnings("ignore")  # what estimators think of rows of chance is no matter here
@pytest.mark.parametrize("kind", ["classifier", "regressor", "transformer"])
def test_every_estimator_of_scikit_learn_is_kept_as_it_is(
    connection: psycopg.Connection, store: Store, candidate: Candidate, kind: str
) -> None:
    """But for those that skops cannot write, and those that cannot be fitted to any rows without settings."""
    chance = np.random.default_rng(0)
    inputs, target = np.abs(chance.normal(size=(80, 4))), np.arange(80) % 2 + (kind != "classifier") * 0.5
    kept = 0
    for name, made in all_estimators(kind):
        try:
            fitted = made().fit(inputs, target)
            skops.io.dumps(fitted)
        except (TypeError, ValueError, AttributeError, NotImplementedError, UnsupportedTypeException):
            continue
        version = registry.register(connection, store, replace(candidate, name=name, estimator=fitted))
        found = registry.load(store, version)
        if hasattr(fitted, "predict"):
            np.testing.assert_array_equal(found.predict(inputs), fitted.predict(inputs))
        kept += 1
    assert kept > 30
