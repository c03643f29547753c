"""The graph of a fitted estimator, as skl2onnx makes it, put together where the estimator is a composite of ours.

LightGBM and XGBoost need onnxmltools' converters, which their extras install.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.compose import add_prefix
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxConcat, OnnxIsNaN, OnnxLog, OnnxWhere
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    StringTensorType,
    guess_numpy_type,
    guess_proto_type,
)
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_regressor_converter
from sklearn.ensemble import HistGradientBoostingRegressor

from lastmile.learning.estimators.numbers import Filled, Logarithm

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Operators of these versions know all that is used here, trees on floats of 64 bits among it.
_OPSET = {"": 18, "ai.onnx.ml": 3}
_ESTIMATORS = "lastmile.learning.estimators"

#: Names of the inputs, and whether each is text.
Columns = Mapping[str, bool]


def convert(estimator: Any, columns: Columns, bits: int) -> ModelProto:
    """Each input is a column [rows, 1] of texts, or of floats of so many bits; the last output has a column per class,
    or the number. Raises whatever skl2onnx does where it cannot."""
    _know_scikit_learn()
    _know_boosters()
    _know_ours()
    if _is_ours(estimator, "levels.LevelsFromNumber"):
        made = _Nodes(columns, bits)
        return made.model(_levels(made, estimator), len(estimator.classes_))
    if hasattr(estimator, "classes_"):
        return _converted(estimator, columns, bits, {"zipmap": False})
    made = _Nodes(columns, bits)
    return made.model(_number(made, estimator), 1)


@dataclass
class _Nodes:
    """A graph as it grows. Values are known by name; numbers are floats of 64 bits, [rows, columns]."""

    columns: Columns
    bits: int
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def part(self, estimator: Any) -> str:
        """The number that an estimator of scikit-learn predicts."""
        made = add_prefix(
            _converted(estimator, self.columns, self.bits, None), f"part_{len(self.nodes)}_", rename_inputs=False
        )
        self.nodes += made.graph.node
        self.constants += made.graph.initializer
        number = self.add("Cast", made.graph.output[-1].name, to=TensorProto.DOUBLE)
        return self.add("Reshape", number, self.constant(np.array([-1, 1])))

    def model(self, output: str, width: int) -> ModelProto:
        given = [
            helper.make_tensor_value_info(name, TensorProto.STRING if is_text else _float(self.bits), [None, 1])
            for name, is_text in self.columns.items()
        ]
        found = helper.make_tensor_value_info(output, TensorProto.DOUBLE, [None, width])
        graph = helper.make_graph(self.nodes, "model", given, [found], self.constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSET.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _number(made: _Nodes, estimator: Any) -> str:
    """What a regressor predicts; of a composite the parts are converted by themselves, since each has its encoders."""
    if _is_ours(estimator, "sampled.Sampled"):
        return _number(made, estimator.regressor_)
    if _is_ours(estimator, "scale.OnLogScale"):
        return made.add("Exp", _number(made, estimator.regressor_))
    if type(estimator).__name__ == "VotingRegressor":
        shares: NDArray[np.float64] = np.ones(len(estimator.estimators_))
        shares = shares if estimator.weights is None else np.asarray(estimator.weights, dtype=np.float64)
        parts = [
            made.add("Mul", _number(made, part), made.constant(share))
            for part, share in zip(estimator.estimators_, shares / shares.sum(), strict=True)
        ]
        return made.add("Sum", *parts)
    return made.part(estimator)


def _levels(made: _Nodes, estimator: Any) -> str:
    """Shares of errors that would bring the predicted number into each level: between the points at which they are
    kept, which lie at even distances, they are interpolated."""
    points, below = estimator.error_points_, estimator.errors_below_
    logarithm = made.add("Log", _number(made, estimator.regressor_))
    distance = made.add("Sub", made.constant(np.log(np.asarray(estimator.bounds, dtype=np.float64))[None]), logarithm)
    first, last, step = points[0], float(len(points) - 1), (points[-1] - points[0]) / (len(points) - 1)
    place = made.add("Div", made.add("Sub", distance, made.constant(first)), made.constant(step))
    place = made.add("Clip", place, made.constant(0.0), made.constant(last))
    floor = made.add("Floor", place)
    left = made.add("Cast", floor, to=TensorProto.INT64)
    right = made.add("Min", made.add("Add", left, made.constant(np.int64(1))), made.constant(np.int64(last)))
    kept = made.constant(np.asarray(below, dtype=np.float64))
    low, high = made.add("Gather", kept, left), made.add("Gather", kept, right)
    between = made.add("Mul", made.add("Sub", place, floor), made.add("Sub", high, low))
    share = made.add("Add", low, between)
    nothing = made.add("Mul", logarithm, made.constant(0.0))
    everything = made.add("Add", nothing, made.constant(1.0))
    upper, lower = made.add("Concat", everything, share, axis=1), made.add("Concat", share, nothing, axis=1)
    return made.add("Sub", upper, lower)


def _converted(estimator: Any, columns: Columns, bits: int, options: dict[str, Any] | None) -> ModelProto:
    number = DoubleTensorType if bits == 64 else FloatTensorType
    types = [(name, (StringTensorType if is_text else number)([None, 1])) for name, is_text in columns.items()]
    return _with_trees_cast(to_onnx(estimator, initial_types=types, options=options, target_opset=_OPSET))


def _with_trees_cast(made: ModelProto) -> ModelProto:
    """Trees return floats of 32 bits whatever they are given; the converter of regressors declares 64."""
    nodes = []
    for node in made.graph.node:
        nodes.append(node)
        if node.op_type == "TreeEnsembleRegressor" and _on_64_bits(node):
            wanted, node.output[0] = node.output[0], f"{node.output[0]}_of_32_bits"
            nodes.append(helper.make_node("Cast", [node.output[0]], [wanted], to=TensorProto.DOUBLE))
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def _on_64_bits(node: NodeProto) -> bool:
    return any(attribute.name == "nodes_values_as_tensor" for attribute in node.attribute)


def _float(bits: int) -> int:
    return int(TensorProto.DOUBLE if bits == 64 else TensorProto.FLOAT)


def _is_ours(estimator: Any, name: str) -> bool:
    kind = type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}" == f"{_ESTIMATORS}.{name}"


def _know_boosters() -> None:
    """Register the converters of the gradient boosting libraries that are installed."""
    if not find_spec("onnxmltools"):
        return
    for library, module, convert in (
        ("lightgbm", "lightgbm.operator_converters.LightGbm", "convert_lightgbm"),
        ("xgboost", "xgboost.operator_converters.XGBoost", "convert_xgboost"),
    ):
        if find_spec(library):
            _register(import_module(library), getattr(import_module(f"onnxmltools.convert.{module}"), convert))


def _know_scikit_learn() -> None:
    """Register a converter of boosted trees that keeps thresholds on 64 bits: skl2onnx makes 32 of them."""
    name = "SklearnHistGradientBoostingRegressor"

    def trees(scope: Any, operator: Any, container: Any) -> None:
        convert_sklearn_random_forest_regressor_converter(scope, operator, _Exact(container))

    update_registered_converter(
        HistGradientBoostingRegressor, name, calculate_linear_regressor_output_shapes, trees, overwrite=True
    )


class _Exact:
    """What a converter adds its nodes to; floats of 64 bits remain so."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *args: Any, op_version: int, **attributes: Any) -> None:
        doubles = {name for name, value in attributes.items() if getattr(value, "dtype", None) == np.float64}
        tensors = {f"{name}_as_tensor": numpy_helper.from_array(attributes.pop(name)) for name in doubles}
        self._container.add_node(*args, op_version=3 if tensors else op_version, **attributes, **tensors)


def _know_ours() -> None:
    """Register the converters of the transformers that pipelines hold."""
    update_registered_converter(Logarithm, "LastmileLogarithm", _as_many, _logarithm)
    update_registered_converter(Filled, "LastmileFilled", _twice_as_many, _filled)


def _as_many(operator: Any) -> None:
    _columns(operator, 1)


def _twice_as_many(operator: Any) -> None:
    _columns(operator, 2)


def _columns(operator: Any, times: int) -> None:
    """So many times as many columns as are given, of the same type."""
    given = operator.inputs[0].type
    operator.outputs[0].type = type(given)([None, times * given.shape[1]])


def _logarithm(scope: Any, operator: Any, container: Any) -> None:
    (given,), version = operator.inputs, container.target_opset
    larger = OnnxAdd(given, np.ones(1, guess_numpy_type(given.type)), op_version=version)
    OnnxLog(larger, op_version=version, output_names=operator.outputs[:1]).add_to(scope, container)


def _filled(scope: Any, operator: Any, container: Any) -> None:
    (given,), version = operator.inputs, container.target_opset
    medians = operator.raw_operator.medians_.astype(guess_numpy_type(given.type))
    missing = OnnxIsNaN(given, op_version=version)
    known = OnnxWhere(missing, medians, given, op_version=version)
    flags = OnnxCast(missing, to=guess_proto_type(given.type), op_version=version)
    both = OnnxConcat(known, flags, axis=1, op_version=version, output_names=operator.outputs[:1])
    both.add_to(scope, container)


def _register(library: Any, converter: Callable[..., None]) -> None:
    prefix = "LGBM" if library.__name__ == "lightgbm" else "XGB"
    classes = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    numbers = {"split": None} if prefix == "LGBM" else None
    for kind, shapes, options in (
        ("Classifier", calculate_linear_classifier_output_shapes, classes),
        ("Regressor", calculate_linear_regressor_output_shapes, numbers),
    ):
        name = f"{prefix}{kind}"
        update_registered_converter(getattr(library, name), name, shapes, converter, options=options)
