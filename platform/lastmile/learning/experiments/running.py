"""Rows answered within an experiment: in shadow every version predicts them, in a split the one they are assigned to.

Rows that one of the versions was trained on are left out: on them the version that has seen more looks better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments.assignment import units
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.experiments.exposures import entities, expose, exposed, variant_of
from lastmile.learning.frames import parquet
from lastmile.learning.registry.versions import ModelVersion, load, versions
from lastmile.learning.training.fitting import predicted
from lastmile.store import Store


@dataclass(frozen=True)
class Run:
    """Numbers of rows: logged now; logged by an earlier run; left out since a version was trained on them."""

    new: int
    repeated: int
    seen: int


def versions_of(connection: Connection, model: str, wanted: Sequence[str]) -> dict[str, ModelVersion]:
    """The versions by number. Raises UserError where one is not registered."""
    known = {one.version: one for one in reversed(versions(connection, model))}
    if missing := [version for version in wanted if version not in known]:
        raise UserError(f"{model} has no version {', '.join(missing)}; it has: {', '.join(known) or 'none'}")
    return {version: known[version] for version in wanted}


def run(connection: Connection, store: Store, model: Model, experiment: Experiment, rows: pd.DataFrame) -> Run:
    """Predict feature rows within the experiment and log them as exposed; those logged before are not predicted again.

    Raises UserError where the experiment is not running, ArtifactRefused for an artifact that is not as registered.
    """
    if experiment.state != "running":
        raise UserError(f"experiment {experiment.name} is {experiment.state}: start another one")
    versions = versions_of(connection, model.name, experiment.versions)
    repeated = exposed(connection, experiment, model.features, rows)
    known = seen(store, model, list(versions.values()), rows) & ~repeated
    rest = rows[~repeated & ~known]
    answered = variant_of(connection, experiment, units(rest, experiment.unit))
    found = {
        name: numbers(store, model, version, rest if experiment.mode == "shadow" else rest[answered == name])
        for name, version in versions.items()
    }
    new = expose(connection, experiment, model.features, rest, answered, found) if len(rest) else 0
    return Run(new, int(repeated.sum()) + len(rest) - new, int(known.sum()))


def numbers(store: Store, model: Model, version: ModelVersion, rows: pd.DataFrame) -> pd.DataFrame:
    """What the version predicts for each row, under its index: levels' probabilities, or a value."""
    return pd.DataFrame(predicted(model, load(store, version, model.trusted), rows), index=rows.index)


def seen(store: Store, model: Model, versions: Sequence[ModelVersion], rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether one of the versions was trained on the row, or may have been: the row has its target, and is in the
    version's snapshot; of a version without one, or whose snapshot is lost, in a partition that it was trained on."""
    labelled = rows[model.target].notna()
    by_any = pd.Series(False, index=rows.index)
    for version in versions:
        by_any |= _seen_by(store, model, version, rows)
    return labelled & by_any


def _in_partition(model: Model, version: ModelVersion, rows: pd.DataFrame) -> "pd.Series[bool]":
    trained: Mapping[str, str] = version.data_versions.get("partitions", {})
    return pd.to_datetime(rows[model.features.partition_column]).dt.strftime("%Y-%m-%d").isin(list(trained))


def _seen_by(store: Store, model: Model, version: ModelVersion, rows: pd.DataFrame) -> "pd.Series[bool]":
    columns = [*model.features.entity, model.features.partition_column]
    trained = parquet(store, version.snapshot_key, columns)
    if trained is None:
        return _in_partition(model, version, rows)
    known = set(map(tuple, entities(model.features, trained)))
    return pd.Series([tuple(entity) in known for entity in entities(model.features, rows)], index=rows.index)
