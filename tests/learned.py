"""Models of fields, trained for real, exported, registered and in use; their rows are in the online table."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import psycopg
from experimenting import CAUSE
from fields import FIELDS, HARVEST, WINDOW_2020, WINDOW_2021, YIELD, fields

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.learning import Model
from lastmile.learning.features.building import stored
from lastmile.learning.features.online import online
from lastmile.learning.registry import deployments
from lastmile.learning.registry.onnx_export import Exported, export
from lastmile.learning.registry.versions import Candidate, ModelVersion, register
from lastmile.learning.training.fitting import fit
from lastmile.store import Store

NUMBERS = ["rain_mm", "noise", "irrigated"]
IMPORTANCE = {"rain_mm": 0.3, "irrigated": 0.2, "soil": 0.1, "noise": 0.0, "village": 0.0}


@dataclass
class Learned:
    """`estimators` by version; `rows` are those whose level is not known yet for the first ten."""

    connection: psycopg.Connection
    store: Store
    rows: pd.DataFrame
    estimators: dict[str, Any]
    versions: list[ModelVersion]

    def row(self, number: int, *without: str) -> dict[str, Any]:
        """The inputs of a row, as JSON."""
        given = self.rows.iloc[number][["soil", *NUMBERS]].to_dict()
        given |= {"irrigated": bool(given["irrigated"])}
        return {name: value for name, value in given.items() if name not in without}


def candidate(model: Model, rows: pd.DataFrame, number: int, exported: Exported | None = None) -> tuple[Any, Candidate]:
    estimator = fit(model, rows)
    made_of = {"recipe": f"r{number}", "rows": f"d{number}", "partitions": {}}
    scores: dict[str, Any] = {"importance": IMPORTANCE, "accuracy": 0.7, "dummy": {"accuracy": 0.4}}
    if model is HARVEST:
        scores["interval"] = {"half_width": 900.0, "log": False}
    onnx = exported or export(model, estimator, rows)
    return estimator, Candidate(
        model.name, estimator, FIELDS.name, model.inputs, made_of, scores, onnx=onnx, reason="to try"
    )


def learned(connection: psycopg.Connection, store: Store) -> Learned:
    """Two versions of `fields`, of which the first is in use, and one of `harvest`."""
    rows = fields()
    known = rows.assign(yield_level=rows["yield_level"].mask(rows.index < 10))
    for partition, window in (("2020", WINDOW_2020), ("2021", WINDOW_2021)):
        part = known[known["season"] == pd.Timestamp(window[0])].drop(columns="harvest_kg")
        stored(FIELDS).replace(
            connection, store, partition, window, part, lambda same, window=window: online(FIELDS).fill(same, window)
        )
    estimators, versions = {}, []
    for number, seed in ((1, 2), (2, 3)):
        estimator, made = candidate(YIELD, fields(seed=seed), number)
        version = register(connection, store, made)
        estimators[version.version] = estimator
        versions.append(version)
    deployments.promote(connection, versions[0], None, CAUSE)
    estimator, made = candidate(HARVEST, fields(seed=2), 1)
    estimators["harvest"] = estimator
    deployments.promote(connection, register(connection, store, made), None, CAUSE)
    return Learned(connection, store, rows, estimators, versions)


def declare(connection: psycopg.Connection, **changes: Any) -> None:
    """Publish feature sets and models; `changes` are of the model of levels."""
    of_harvest = replace(HARVEST, features=replace(HARVEST.features, name="harvests"))
    models = [replace(YIELD, **changes), replace(HARVEST, features=of_harvest.features)]
    publish(connection, catalogue([], [FIELDS, of_harvest.features], models))
