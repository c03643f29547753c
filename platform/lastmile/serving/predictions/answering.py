"""From the numbers of a version to the answer for each row: in the words of the model, as batch predictions are."""

from typing import Any

import numpy as np

from lastmile.catalogue import ModelEntry
from lastmile.learning.evaluation.interval import bounds
from lastmile.learning.registry.exports import Export
from lastmile.serving.predictions.batching import Found


def in_order(entry: ModelEntry, export: Export, found: Found) -> Found:
    """Probabilities in the order of the model's levels, 0 for one that the version never saw; numbers as they are."""
    if not export.classes or list(export.classes) == entry.levels:
        return found
    ordered = np.zeros((len(found), len(entry.levels)))
    ordered[:, [entry.levels.index(level) for level in export.classes]] = found
    return ordered


def answers(entry: ModelEntry, export: Export, found: Found) -> list[dict[str, Any]]:
    """One for each line of numbers, which are in the order of the model's levels."""
    if entry.kind == "regression":
        return _values(export, found[:, 0])
    named = (found / np.array(entry.common) if entry.common else found).argmax(axis=1)
    version, levels = export.version.version, entry.levels
    answered: list[dict[str, Any]] = [
        {"version": version, "level": levels[place], "probabilities": dict(zip(levels, line, strict=True))}
        for place, line in zip(named.tolist(), found.tolist(), strict=True)
    ]
    if entry.question:
        for one, yes in zip(answered, probability_of_yes(entry, found).tolist(), strict=True):
            one["probability"] = yes
    return answered


def probability_of_yes(entry: ModelEntry, found: Found) -> Found:
    """Of the question, for each row."""
    yes: Found = found[:, [entry.levels.index(level) for level in entry.positive]].sum(axis=1)
    return yes


def _values(export: Export, found: Found) -> list[dict[str, Any]]:
    version, interval = export.version.version, export.version.scores.get("interval")
    if not interval:
        return [{"version": version, "value": value} for value in found.tolist()]
    low, high = bounds(interval, found)
    sides = zip(found.tolist(), low.tolist(), high.tolist(), strict=True)
    return [{"version": version, "value": value, "low": below, "high": above} for value, below, above in sides]
