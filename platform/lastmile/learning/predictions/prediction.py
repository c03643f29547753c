"""Predictions of a registered model as a frame, each row naming the version it came from."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from psycopg import Connection
from psycopg.types.json import Jsonb

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.interval import bounds
from lastmile.learning.evaluation.metrics import Predicted, probability_of_yes, values
from lastmile.learning.predictions.reasons import reasons
from lastmile.learning.registry.versions import ModelVersion
from lastmile.learning.relations import Window
from lastmile.learning.training.fitting import predicted

_RECORD = """
    INSERT INTO registry.predictions (name, partition_start, model_name, model_version, rows, run_id)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (name, partition_start) DO UPDATE SET model_name = excluded.model_name,
        model_version = excluded.model_version, rows = excluded.rows, run_id = excluded.run_id, predicted_at = now()
"""


def predict(model: Model, estimator: Any, rows: pd.DataFrame) -> pd.DataFrame:
    """A line per row, in the same order and under the same index: the target's likeliest level and each level's
    probability, which add up to one; or the target's value."""
    return _columns(model, predicted(model, estimator, rows), rows)


def predictions(
    model: Model, version: ModelVersion, estimator: Any, rows: pd.DataFrame, background: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows' identity, what is predicted for each and why, by which version, and when; `attrs` say by which, too,
    since there may be no rows. Reasons compare with the typical row of `background`, or of the rows themselves."""
    features, found = model.features, predicted(model, estimator, rows)
    identity = rows[[*features.identity, features.partition_column]]
    importance = version.scores.get("importance", {})
    made: dict[str, Any] = {
        **_answer(model, version, found),
        "reasons": reasons(model, estimator, rows, found, rows if background is None else background, importance),
        "model_name": version.name,
        "model_version": version.version,
        "predicted_at": datetime.now(UTC),
    }
    kinds = {"reasons": "str", "model_name": "str", "model_version": "str", "predicted_at": "datetime64[us, UTC]"}
    table = identity.join(_columns(model, found, rows)).assign(**made).astype(kinds)
    table.attrs |= {"model": version.name, "version": version.version, "target": model.target}
    return table


def answer_columns(model: Model) -> list[str]:
    """Beyond level and probabilities, or the number: `probability_<question>`, or `<target>_low`, `<target>_high`."""
    if isinstance(model.task, Classification):
        return [f"probability_{model.task.question}"] if model.task.question else []
    return [f"{model.target}_low", f"{model.target}_high"]


def _columns(model: Model, found: Predicted, rows: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, Any] = {model.target: values(model, found)}
    if isinstance(model.task, Classification):
        columns |= {name: found[:, place] for place, name in enumerate(model.task.probability_columns())}
    kind = "str" if isinstance(model.task, Classification) else "float64"
    return pd.DataFrame(columns, index=rows.index).astype({model.target: kind})


def _answer(model: Model, version: ModelVersion, found: Predicted) -> dict[str, Any]:
    """The probability of yes; or the ends of the interval, missing where the version has none."""
    names = answer_columns(model)
    if isinstance(model.task, Classification):
        return {name: probability_of_yes(model.task, found) for name in names}
    interval = version.scores.get("interval") or {"half_width": np.nan, "log": False}
    return dict(zip(names, bounds(interval, found[:, 0]), strict=True))


def counts(model: Model, predicted_rows: pd.DataFrame) -> dict[str, int]:
    """Rows by predicted level, most first; of a regression the number of rows, under the target's name."""
    return counted(predicted_rows, model.target)


def counted(predicted_rows: pd.DataFrame, target: str) -> dict[str, int]:
    """The same of rows whose model is not at hand: numbers are a regression's."""
    if pd.api.types.is_float_dtype(predicted_rows[target].dtype):
        return {target: len(predicted_rows)} if len(predicted_rows) else {}
    return {str(level): int(count) for level, count in predicted_rows[target].value_counts().items()}


def record(
    connection: Connection, name: str, window: Window, version: tuple[str, str], rows: Mapping[str, int], run_id: str
) -> None:
    """Keep in the registry which version (model, version) predicted the partition, and how many rows of each level."""
    connection.execute(_RECORD, [name, window[0], *version, Jsonb(dict(rows)), run_id])
