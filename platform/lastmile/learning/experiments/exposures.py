"""Who was answered by which version: one row for each entity of an experiment, the first answer only.

Whatever answers a unit calls `variant_of` before it predicts and `expose` after. A unit that was answered keeps its
version for good, also where the share of the treatments has grown since.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from psycopg import Connection

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.experiments.assignment import assigned, units
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.experiments.exposure_log import Exposure, first_versions, log


def variant_of(connection: Connection, experiment: Experiment, units: "pd.Series[str]") -> "pd.Series[str]":
    """The version that answers each unit, under the same index: the one it was answered by first, else the one that its
    hash assigns. In shadow it is the control for all."""
    if experiment.share is None:
        return pd.Series(experiment.control, index=units.index, dtype="str")
    different = units.unique().tolist()
    known = first_versions(connection, experiment.name, different)
    plan = experiment.salt, experiment.share, experiment.control, experiment.treatments
    salt, share, control, treatments = plan
    found = {unit: known.get(unit) or assigned(salt, unit, share, control, treatments) for unit in different}
    return units.map(found).astype("str")


def expose(
    connection: Connection,
    experiment: Experiment,
    features: FeatureSet,
    rows: pd.DataFrame,
    answered: "pd.Series[str]",
    found: Mapping[str, pd.DataFrame],
) -> int:
    """Log which version answered each row, and what each version in `found` predicted for it; returns how many are new.

    All are logged or none; rows that were logged before stay as they are.

    `rows` have the entity, the partition and the unit; `answered` has their index; each frame of `found` has numbers
    (levels' probabilities or a value) under the index of the rows that the version predicted.
    """
    predicted = _predictions(rows, found)
    clusters = rows[features.group] if features.group in rows else pd.Series(None, index=rows.index, dtype=object)
    lines = zip(entities(features, rows), units(rows, experiment.unit), clusters, answered, predicted, strict=True)
    found_by_row = (
        Exposure(entity, unit, None if pd.isna(cluster) else str(cluster), version, numbers)
        for entity, unit, cluster, version, numbers in lines
    )
    return log(connection, experiment.name, experiment.share, found_by_row)


def exposed(
    connection: Connection, experiment: Experiment, features: FeatureSet, rows: pd.DataFrame
) -> "pd.Series[bool]":
    """Whether each row was logged before."""
    known = connection.execute("SELECT entity FROM registry.exposures WHERE experiment = %s", [experiment.name])
    logged = {tuple(entity) for (entity,) in known}
    return pd.Series([tuple(entity) in logged for entity in entities(features, rows)], index=rows.index, dtype=bool)


def entities(features: FeatureSet, rows: pd.DataFrame) -> list[list[str]]:
    """What identifies each row, as text: the entity's columns and the first day of the partition."""
    texts = rows[list(features.entity)].astype(str)
    days = pd.to_datetime(rows[features.partition_column]).dt.strftime("%Y-%m-%d")
    found: list[list[str]] = texts.assign(**{features.partition_column: days}).to_numpy().tolist()
    return found


def _predictions(rows: pd.DataFrame, found: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """For each row its numbers by version."""
    lines: dict[Any, dict[str, Any]] = {label: {} for label in rows.index}
    for version, frame in found.items():
        for label, numbers in zip(frame.index, frame.to_numpy().tolist(), strict=True):
            lines[label][version] = numbers
    return [lines[label] for label in rows.index]
