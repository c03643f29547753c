"""A model as ONNX, exported only where it predicts what the model itself predicts.

    exported = export(model, estimator, rows)
    exported.body, exported.parity, exported.reason

Converters are silently wrong about some estimators: boosted trees that know categories themselves by up to 0.93 of a
probability, random forests about missing numbers by up to 1. So the export is run on rows that the estimator was not
fitted on where there are such, on the same rows with each input missing or never seen, and compared; one row that
differs is enough to have no export, with the reason.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.predictions.reasons import typical_values
from lastmile.learning.registry.onnx_graph import convert
from lastmile.learning.registry.onnx_session import run, session
from lastmile.learning.training.fitting import inputs, predicted, used_inputs
from lastmile.store import Store

#: Of a probability; of a number, relative to it where it is over one. Floats of 32 bits differ by up to 1e-6.
TOLERANCE = 1e-4
#: Rows whose inputs are made missing, or a text never seen, one input after another.
_PROBED = 20
_NEVER_SEEN = "(never seen)"
#: Smaller ones can be wrong about numbers close to a threshold, and not every converter knows the larger.
_BITS = (64, 32)


@dataclass(frozen=True)
class Exported:
    """The graph, where it predicts what the estimator does; else the reason why there is none.

    `parity` has `rows` compared, `largest_difference` and `tolerance`; it is empty where nothing could be compared.
    `classes` are the levels of the graph's probabilities in their order, `typical` the inputs' typical values, which
    reasons compare with.
    """

    body: bytes | None
    parity: Mapping[str, Any]
    reason: str | None
    classes: tuple[str, ...] = ()
    typical: Mapping[str, Any] = field(default_factory=dict)

    def keep(self, store: Store, key: str) -> dict[str, Any]:
        """Put it in the store under the key, if there is one; what the registry keeps of it (`ModelVersion.onnx`)."""
        if self.body is None:
            return {"reason": self.reason, "parity": dict(self.parity)}
        store.put(key, self.body)
        facts = {"parity": dict(self.parity), "classes": list(self.classes), "typical": dict(self.typical)}
        return {"key": key, "sha256": hashlib.sha256(self.body).hexdigest(), **facts}


def export(model: Model, estimator: Any, rows: pd.DataFrame, background: pd.DataFrame | None = None) -> Exported:
    """`estimator` is fitted, `rows` are those of the feature set that it is compared on; no labels are needed.
    Typical values are those of `background`, or of the same rows."""
    compared = pd.concat([rows, *_probes(model, estimator, rows)], ignore_index=True)
    given = inputs(model.features, compared, used_inputs(model, estimator))
    expected = predicted(model, estimator, compared)
    columns = {str(name): dtype.kind == "O" for name, dtype in given.dtypes.items()}
    refused: list[Exported] = []
    for bits in _BITS:
        try:
            body = convert(estimator, columns, bits).SerializeToString()
            found = _in_order(model, estimator, run(session(body), given))
        except Exception as error:  # converters and runtime raise whatever they like
            refused.append(Exported(None, {}, f"{type(error).__name__}: {str(error).strip()[:500]}"))
            continue
        exported = _compared(body, found, expected)
        if exported.body:
            classes = tuple(map(str, getattr(estimator, "classes_", ())))
            typical = typical_values(rows if background is None else background, model.inputs)
            return replace(exported, classes=classes, typical=typical)
        refused.append(exported)
    return next((one for one in refused if one.parity), refused[-1])


def _compared(body: bytes, found: NDArray[np.float64], expected: NDArray[np.float64]) -> Exported:
    off = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    wrong = ~(off < TOLERANCE)  # NaN is wrong, too
    parity = {
        "rows": len(expected),
        "largest_difference": float(off.max(initial=0.0)),
        "tolerance": TOLERANCE,
    }
    if not wrong.any():
        return Exported(body, parity, None)
    reason = (
        f"the converted model predicts otherwise than the model: {int(wrong.any(axis=1).sum())} of {len(expected)} rows"
        f" differ by {TOLERANCE} or more, by up to {parity['largest_difference']:.3g}"
    )
    return Exported(None, parity, reason)


def _probes(model: Model, estimator: Any, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows with each input missing in turn, and all at once, and with texts never seen; none where the estimator itself
    refuses them."""
    some, schema = rows.head(_PROBED), model.features.schema.to_schema().columns
    missing = [name for name in model.inputs if schema[name].nullable]
    open_texts = [column.name for column in model.features.inputs if column.kind == "categorical" and not column.levels]
    found = [_without(some, [name]) for name in missing]
    found += [_without(some, missing)] if missing else []
    found += [some.assign(**{name: _NEVER_SEEN}) for name in open_texts if name in model.inputs]
    for probe in found:
        try:
            predicted(model, estimator, probe)
        except ValueError:
            continue
        yield probe


def _without(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return rows.assign(**{name: pd.Series(None, index=rows.index, dtype=rows[name].dtype) for name in names})


def _in_order(model: Model, estimator: Any, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in the order of the task's levels, 0 for one the estimator never saw, as `predicted` has them."""
    if not isinstance(model.task, Classification):
        return found
    ordered = np.zeros((len(found), len(model.task.levels)))
    ordered[:, [model.task.levels.index(level) for level in estimator.classes_]] = found
    return ordered
