"""Why a row is predicted what it is: what the prediction would lose with an input's typical value in its place.

The same as batch predictions have, of the typical values that were kept with the export.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lastmile.catalogue import ModelEntry
from lastmile.learning.predictions.effects import SHOWN, explaining, rounded
from lastmile.serving.predictions.answering import in_order, probability_of_yes
from lastmile.serving.predictions.batching import Found
from lastmile.serving.predictions.loaded import Answering
from lastmile.serving.predictions.schemas import Row


def named(answering: Answering) -> list[str]:
    """Inputs that may be named; others do not move the version's prediction. None where no typical value was kept."""
    export, entry = answering.export, answering.entry
    importance: Mapping[str, float] = export.version.scores.get("importance", {})
    typical = export.version.onnx.get("typical", {})
    used = set(answering.batch.names)
    return [name for name in explaining(entry.inputs, importance) if name in typical and name in used]


async def reasons(
    answering: Answering, rows: Sequence[Row], found: Found, hidden: Collection[str]
) -> list[list[dict[str, Any]]]:
    """For each row the inputs that move it most, the largest effect first; values of `hidden` inputs are not shown."""
    names, typical = named(answering), answering.export.version.onnx["typical"]
    replaced = [{**row, name: typical[name]} for name in names for row in rows]
    levels, entry = found.argmax(axis=1), answering.entry
    without = in_order(entry, answering.export, await answering.batch.run(replaced))
    scores = _score(entry, without, np.tile(levels, len(names))).reshape(len(names), -1)
    lost = (_score(entry, found, levels) - scores).T
    places = np.argsort(-np.abs(lost), axis=1, kind="stable")[:, :SHOWN]
    return [
        [
            {
                "input": names[place],
                "value": None if names[place] in hidden else _plain(row[names[place]]),
                "typical": None if names[place] in hidden else _plain(typical[names[place]]),
                "effect": effect,
            }
            for place in of_row
            if (effect := rounded(moved[place]))
        ]
        for row, of_row, moved in zip(rows, places.tolist(), lost.tolist(), strict=True)
    ]


def _score(entry: ModelEntry, found: Found, levels: NDArray[np.intp]) -> Found:
    return probability_of_yes(entry, found) if entry.question else found[np.arange(len(found)), levels]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    return rounded(float(value))
