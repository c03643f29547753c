"""What a partition is compared with: the rows the champion was trained on, and what it predicted for rows like them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from lastmile.learning.declarations.model import Classification, Grouped, Model
from lastmile.learning.evaluation.metrics import values
from lastmile.learning.frames import PartitionedFrame, content, parquet
from lastmile.learning.registry.versions import ModelVersion
from lastmile.learning.relations import Window
from lastmile.learning.training.fitting import SEED, labelled
from lastmile.store import Store

#: Of all partitions together; a partition is compared with some of them.
_MOST_ROWS = 50_000


@dataclass(frozen=True)
class Reference:
    """`rows` and `predicted` are of the partitions that the champion was trained on, also those without a target: what
    is missing in rows that have one differs. `held_out` is what evaluation predicted for rows that were unseen, None
    where it was not kept; `trained` has the hash of the labelled rows of each partition by first day; `known` the
    identity of all of them, None where no snapshot was kept."""

    rows: pd.DataFrame
    predicted: pd.DataFrame
    held_out: pd.DataFrame | None
    trained: Mapping[str, str]
    known: pd.DataFrame | None


def reference(model: Model, version: ModelVersion, store: Store) -> Reference:
    features, trained = model.features, version.data_versions.get("partitions", {})
    of_features = PartitionedFrame("features", features.name, features.partition_column)
    wanted = {features.partition.key_of(date.fromisoformat(day)) for day in trained} or {*of_features.partitions(store)}
    return Reference(
        rows=_sample(_read(of_features, store, wanted)),
        predicted=_sample(predictions_by(model, version, store, wanted)),
        held_out=parquet(store, version.held_out_key),
        trained=trained,
        known=parquet(store, version.snapshot_key, [*features.entity, features.group]),
    )


def predictions_by(model: Model, version: ModelVersion, store: Store, partitions: Iterable[str]) -> pd.DataFrame:
    """Those that the version made of these partitions; a frame without columns where none are made."""
    frame = PartitionedFrame("predictions", model.name, model.features.partition_column)
    found = _read(frame, store, {*partitions})
    return found[found["model_version"] == version.version] if len(found) else found


def within(rows: pd.DataFrame, column: str, window: Window) -> pd.DataFrame:
    """The partition's rows."""
    start, end = map(pd.Timestamp, window)
    return rows[(rows[column] >= start) & (rows[column] < end)] if len(rows) else rows


def outside(rows: pd.DataFrame, column: str, window: Window) -> pd.DataFrame:
    """The rows of other partitions."""
    start, end = map(pd.Timestamp, window)
    return rows[(rows[column] < start) | (rows[column] >= end)] if len(rows) else rows


def unseen(model: Model, reference: Reference, rows: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Of a partition's rows those with a target that the champion was not trained on; of a model judged by groups, none
    of a group that it was trained on."""
    found = labelled(model, rows)
    trained = reference.trained.get(window[0].isoformat())
    if trained is None or not len(found):
        return found
    if trained == content(found):
        return found.head(0)
    if reference.known is None:
        return found
    if isinstance(model.split, Grouped):
        return found[~found[model.features.group].isin(reference.known[model.features.group])]
    known = reference.known[list(model.features.entity)].drop_duplicates()
    matched = found[list(model.features.entity)].merge(known, how="left", indicator=True)["_merge"]
    return found[(matched == "left_only").to_numpy()]


def answers(model: Model, held_out: pd.DataFrame) -> pd.Series:
    """What was predicted in evaluation, in the form of predictions."""
    if not isinstance(model.task, Classification):
        return held_out["predicted"].rename(model.target)
    found = held_out[model.task.probability_columns()].to_numpy()
    return pd.Series(values(model, found), index=held_out.index, name=model.target, dtype="str")


def _read(frame: PartitionedFrame, store: Store, wanted: set[str]) -> pd.DataFrame:
    made = [name for name in frame.partitions(store) if name in wanted]
    return frame.read(store, made) if made else pd.DataFrame()


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sample(_MOST_ROWS, random_state=SEED) if len(rows) > _MOST_ROWS else rows
