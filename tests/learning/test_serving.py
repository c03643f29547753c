"""The estimator that answers: the champion's, and where that is lost or tampered with, the one before it."""

from dataclasses import replace

import pandas as pd
import psycopg
import pytest
from fields import FIELDS, YIELD

from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.deployments import promote
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.serving import in_use
from lastmile.learning.registry.versions import Candidate, ModelVersion, register
from lastmile.learning.training.fitting import fit
from lastmile.store import Store


@pytest.fixture
def versions(connection: psycopg.Connection, store: Store, rows: pd.DataFrame) -> list[ModelVersion]:
    """Two of them, of which the second is the champion."""
    candidate = Candidate("fields", fit(YIELD, rows), FIELDS.name, FIELDS.names(), {"recipe": "r", "rows": "a"}, {})
    first = register(connection, store, candidate)
    second = register(connection, store, replace(candidate, data_versions={"recipe": "r", "rows": "b"}))
    promote(connection, first, None, Cause("first", "lastmile"))
    promote(connection, second, "1", Cause("better", "lastmile"))
    return [first, second]


def test_nothing_answers_before_a_version_is_in_use(connection: psycopg.Connection, store: Store) -> None:
    assert in_use(connection, store, YIELD) is None


def test_the_champion_answers(connection: psycopg.Connection, store: Store, versions: list[ModelVersion]) -> None:
    found = in_use(connection, store, YIELD)
    assert found is not None
    assert (found.version.version, found.instead_of) == ("2", None)


@pytest.mark.parametrize("fault", ["lost", "tampered with"])
def test_where_its_artifact_cannot_be_used_the_one_before_answers_and_says_why(
    connection: psycopg.Connection, store: Store, versions: list[ModelVersion], fault: str
) -> None:
    key = versions[1].artifact_key
    store.delete(key) if fault == "lost" else store.put(key, store.read(key) + b" ")
    found = in_use(connection, store, YIELD)
    assert found is not None
    assert found.version.version == "1"
    assert found.instead_of is not None
    assert key in found.instead_of


def test_where_no_artifact_can_be_used_each_is_named(
    connection: psycopg.Connection, store: Store, versions: list[ModelVersion]
) -> None:
    for version in versions:
        store.delete(version.artifact_key)
    with pytest.raises(ArtifactRefused, match=r"version 2: .* is lost.*; version 1: .* is lost"):
        in_use(connection, store, YIELD)
