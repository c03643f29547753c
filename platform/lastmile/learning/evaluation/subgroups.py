"""Scores within parts of the rows: within each group, where pooled scores may only tell groups apart, and by the values
of what a model should serve alike."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import Predicted, Truth, probability_of_yes, resampled, scores
from lastmile.learning.evaluation.resampling import clusters, count, jackknife, jackknife_error

#: Largest groups that scores are found within, and most common values of an attribute.
_MOST_GROUPS, _MOST_VALUES = 300, 30


def within_groups(model: Model, truth: Truth, found: Predicted, groups: pd.Series) -> dict[str, float]:
    """Each score, mean over the groups whose rows have different answers; empty where there is no such group."""
    answers = pd.Series(_answer(model, truth))
    codes = pd.Series(pd.factorize(groups, use_na_sentinel=False)[0])
    varied = answers.groupby(codes).nunique() > 1
    largest = codes[codes.map(varied)].value_counts(sort=True).index[:_MOST_GROUPS]
    by_group = codes.groupby(codes).indices
    found_in = [scores(model, truth[by_group[code]], found[by_group[code]]) for code in largest]
    return {name: float(np.mean([of[name] for of in found_in])) for name in model.score_names()} if found_in else {}


def fairness(
    model: Model, rows: pd.DataFrame, truth: Truth, found: Predicted
) -> dict[str, dict[str, dict[str, float]]]:
    """By attribute and value: `rows`, each score, and `error`, the standard error over groups of the score that
    versions are compared by. Of a question also `observed` and `predicted`, the share of yes and its mean probability.
    """
    groups = rows[model.features.group].to_numpy()
    return {
        attribute: {
            value: _of_part(model, truth[part], found[part], groups[part]) for value, part in _parts(rows[attribute])
        }
        for attribute in model.features.fairness
        if attribute in rows
    }


def _answer(model: Model, truth: Truth) -> NDArray[np.generic]:
    if isinstance(model.task, Classification) and model.task.question:
        return np.isin(truth, model.task.positive)
    return truth


def _parts(values: pd.Series) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Values, numbers by quartile, with the places of their rows; those unknown are left out."""
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    names = (_quartiles(values) if numeric else values).reset_index(drop=True).dropna().astype(str)
    places = names.groupby(names).indices
    for name in sorted(names.value_counts().index[:_MOST_VALUES]):
        yield name, names.index.to_numpy()[places[name]]


def _quartiles(numbers: pd.Series) -> pd.Series:
    """The quarter that each number lies in, named by its bounds; equal numbers are never split."""
    known = numbers.astype("float64")
    cuts = known.quantile([0.25, 0.5, 0.75]).to_numpy()
    low, middle, high = (f"{cut:g}" for cut in cuts)
    names = [f"1: up to {low}", f"2: over {low} to {middle}", f"3: over {middle} to {high}", f"4: over {high}"]
    place = np.searchsorted(cuts, known.fillna(0))
    return pd.Series(np.array(names, dtype=object)[place], index=numbers.index).where(known.notna())


def _of_part(model: Model, truth: Truth, found: Predicted, groups: NDArray[np.generic]) -> dict[str, float]:
    codes = clusters(groups)
    left_out = (
        resampled(model, truth, found, codes, jackknife(codes), [model.compared_by])[model.compared_by]
        if count(codes) > 1
        else np.array([])
    )
    error = jackknife_error(left_out)
    observed = {}
    if isinstance(model.task, Classification) and model.task.question:
        yes = np.isin(truth, model.task.positive)
        observed = {"observed": float(yes.mean()), "predicted": float(probability_of_yes(model.task, found).mean())}
    known = {"error": error} if np.isfinite(error) else {}  # of one group nothing can be said
    return {"rows": len(truth), **scores(model, truth, found), **observed, **known}
