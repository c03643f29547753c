"""Two versions of a model, one that knows only how common levels are and one that has learned, and rows for both."""

import pandas as pd
import psycopg
from fields import FIELDS, WINDOW_2020, WINDOW_2021, YIELD, fields

from lastmile.learning.experiments.experiment import Plan
from lastmile.learning.features.building import stored
from lastmile.learning.registry import deployments
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.versions import Candidate, ModelVersion, register
from lastmile.learning.training.fitting import fit, inputs, target
from lastmile.store import Store

CAUSE = Cause("to try it", "ada")
PLAN = Plan(
    name="learned",
    model="fields",
    mode="shadow",
    control="1",
    treatments=["2"],
    unit=["field"],
    metric="ranked_probability_score",
    alpha=0.05,
    planned_size=200,
    hypothesis="Version 2 is better.",
    salt="salt",
)


def two_versions(connection: psycopg.Connection, store: Store) -> list[ModelVersion]:
    """Version 1, in use, and version 2, trained on other rows than `fields()`."""
    from sklearn.dummy import DummyClassifier

    others = fields(seed=2)
    simple = DummyClassifier(strategy="prior").fit(inputs(FIELDS, others), target(YIELD, others))
    found = []
    for number, estimator in enumerate([simple, fit(YIELD, others)]):
        made_of = {"recipe": f"r{number}", "rows": "d", "partitions": {"2019-01-01": "abc"}}
        candidate = Candidate("fields", estimator, FIELDS.name, FIELDS.names(), made_of, {"dummy": {}})
        found.append(register(connection, store, candidate))
    deployments.promote(connection, found[0], None, CAUSE)
    return found


def keep(connection: psycopg.Connection, store: Store, rows: pd.DataFrame) -> None:
    """Put the rows in the feature set's table and files."""
    rows = rows.drop(columns="harvest_kg")
    for partition, window in (("2020", WINDOW_2020), ("2021", WINDOW_2021)):
        part = rows[rows["season"] == pd.Timestamp(window[0])]
        stored(FIELDS).replace(connection, store, partition, window, part)


def without_levels(rows: pd.DataFrame, some: "pd.Series[bool] | bool" = True) -> pd.DataFrame:
    """The rows before some of their levels were known."""
    return rows.assign(yield_level=rows["yield_level"].mask(pd.Series(some, index=rows.index)))
