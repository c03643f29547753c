"""What evaluation predicted for rows it had not seen: kept with a version, so that a later one is compared on them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import Predicted
from lastmile.learning.training.folds import Fold

#: Rows that folds are made of: their scores have two or three decimals, and the fit of all rows stays the main work.
MOST_ROWS = 100_000


def sampled(features: FeatureSet, rows: pd.DataFrame) -> pd.DataFrame:
    """Up to `MOST_ROWS` of the rows, in their order: those whose entity hashes lowest, so that two versions are
    evaluated on the same ones."""
    if len(rows) <= MOST_ROWS:
        return rows
    hashed = pd.util.hash_pandas_object(rows[list(features.entity)], index=False).to_numpy()
    chosen = np.sort(np.argpartition(hashed, MOST_ROWS)[:MOST_ROWS])
    return rows.iloc[chosen].reset_index(drop=True)


def columns(model: Model) -> list[str]:
    """Names of the predicted columns."""
    return model.task.probability_columns() if isinstance(model.task, Classification) else ["predicted"]


def held_out(model: Model, rows: pd.DataFrame, split: Sequence[Fold], found: Sequence[Predicted]) -> pd.DataFrame:
    """A line for each row that a fold was evaluated on, in the rows' order: entity, group, partition, `fold`, the
    target and what was predicted."""
    features = model.features
    kept = [*features.entity, features.group, features.partition_column, model.target]
    places = np.concatenate([unseen for _, unseen in split])
    fold = np.repeat(np.arange(len(split)), [len(unseen) for _, unseen in split])
    order = np.argsort(places, kind="stable")
    frame = rows[list(dict.fromkeys(kept))].iloc[places[order]]
    predicted = pd.DataFrame(np.concatenate(found)[order], columns=columns(model), index=frame.index)
    return frame.assign(fold=fold[order]).join(predicted)


def predictions(model: Model, frame: pd.DataFrame) -> Predicted:
    """The predicted columns of a held-out frame."""
    found: Predicted = frame[columns(model)].to_numpy(dtype=np.float64)
    return found
