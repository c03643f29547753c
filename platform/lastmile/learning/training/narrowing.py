"""An unfitted estimator made to do with some of its inputs, whatever columns its ColumnTransformers name."""

from collections.abc import Collection
from typing import Any

from sklearn.base import clone
from sklearn.compose import ColumnTransformer


def narrowed(estimator: Any, names: Collection[str]) -> Any:
    """A copy whose ColumnTransformers name none but these columns; what had only others is left out of them.

    Columns given as a function, a slice or a mask are left: they are found in whatever frame it is fitted on.
    """
    found = clone(estimator)
    for part in [found, *found.get_params().values()]:
        if isinstance(part, ColumnTransformer):
            part.transformers = [
                (name, step, kept)
                for name, step, columns in part.transformers
                if (kept := _kept(columns, names)) is not None
            ]
    return found


def _kept(columns: Any, names: Collection[str]) -> Any:
    """None where nothing is left."""
    if isinstance(columns, str):
        return columns if columns in names else None
    if isinstance(columns, list) and all(isinstance(column, str) for column in columns):
        return [column for column in columns if column in names] or None
    return columns
