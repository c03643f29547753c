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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.registry.onnx_session import run, session
from lastmile.learning.training.fitting import inputs, predicted
from lastmile.store import Store

if TYPE_CHECKING:
    from onnx import ModelProto

#: Of a probability; of a number, relative to it where it is over one. Floats of 32 bits differ by up to 1e-6.
TOLERANCE = 1e-4
#: Rows whose inputs are made missing, or a text never seen, one input after another.
_PROBED = 20
_NEVER_SEEN = "(never seen)"
#: Smaller ones can be wrong about numbers close to a threshold, and not every converter knows the larger.
_FLOATS = ("double", "float")


@dataclass(frozen=True)
class Exported:
    """The graph, where it predicts what the estimator does; else the reason why there is none.

    `parity` has `rows` compared, `largest_difference` and `tolerance`; it is empty where nothing could be compared.
    """

    body: bytes | None
    parity: Mapping[str, Any]
    reason: str | None

    def keep(self, store: Store, key: str) -> dict[str, Any]:
        """Put it in the store under the key, if there is one; what the registry keeps of it (`ModelVersion.onnx`)."""
        if self.body is None:
            return {"reason": self.reason, "parity": dict(self.parity)}
        store.put(key, self.body)
        return {"key": key, "sha256": hashlib.sha256(self.body).hexdigest(), "parity": dict(self.parity)}


def export(model: Model, estimator: Any, rows: pd.DataFrame) -> Exported:
    """`estimator` is fitted, `rows` are those of the feature set that it is compared on; no labels are needed."""
    compared = pd.concat([rows, *_probes(model, estimator, rows)], ignore_index=True)
    given, expected = inputs(model.features, compared, model.inputs), predicted(model, estimator, compared)
    refused: list[Exported] = []
    for floats in _FLOATS:
        try:
            body = _converted(estimator, given, floats).SerializeToString()
            found = _in_order(model, estimator, run(session(body), given))
        except Exception as error:  # converters and runtime raise whatever they like
            refused.append(Exported(None, {}, f"{type(error).__name__}: {str(error).strip()[:500]}"))
            continue
        exported = _compared(body, found, expected)
        if exported.body:
            return exported
        refused.append(exported)
    return next((one for one in refused if one.parity), refused[0])


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
    """Probabilities in the order of the task's levels, 0 for one that the estimator never saw, as `predicted` has them."""
    if not isinstance(model.task, Classification):
        return found
    ordered = np.zeros((len(found), len(model.task.levels)))
    ordered[:, [model.task.levels.index(level) for level in estimator.classes_]] = found
    return ordered


def _converted(estimator: Any, given: pd.DataFrame, floats: str) -> "ModelProto":
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    number = DoubleTensorType if floats == "double" else FloatTensorType
    columns = [
        (str(name), (StringTensorType if dtype == object else number)([None, 1]))
        for name, dtype in given.dtypes.items()
    ]
    options = {"zipmap": False} if hasattr(estimator, "classes_") else None
    return _with_trees_cast(to_onnx(estimator, initial_types=columns, options=options))


def _with_trees_cast(graph: "ModelProto") -> "ModelProto":
    """Trees return 32 bits whatever they are given; the converter of regressors declares 64 of them."""
    from onnx import TensorProto, helper

    nodes = []
    for node in graph.graph.node:
        nodes.append(node)
        if node.op_type == "TreeEnsembleRegressor" and _given_doubles(node):
            wanted, node.output[0] = node.output[0], f"{node.output[0]}_of_32_bits"
            nodes.append(helper.make_node("Cast", [node.output[0]], [wanted], to=TensorProto.DOUBLE))
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return graph


def _given_doubles(node: Any) -> bool:
    return any(attribute.name == "nodes_values_as_tensor" for attribute in node.attribute)
