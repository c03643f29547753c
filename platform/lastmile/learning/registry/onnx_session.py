"""Predicting with an exported model: what serving runs, 0.05 ms a row where the pipeline in pandas needs 5.

    session = load_onnx(store, version)
    probabilities = run(session, {"soil": ["loam", MISSING], "rain_mm": [812.0, nan]})

A session uses one thread: a second one waits in a spin, and a row is done before it wakes up.
"""

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.versions import ModelVersion
from lastmile.store import Store

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

#: A missing category is one of its own: strings with nulls do not survive every model format.
MISSING = "(missing)"

_KINDS: dict[str, type] = {"tensor(string)": object, "tensor(double)": np.float64, "tensor(float)": np.float32}


class Columns(Protocol):
    """Values by the name of their input: a frame, or a mapping."""

    def __getitem__(self, name: Any, /) -> Any: ...


def load_onnx(store: Store, version: ModelVersion) -> "InferenceSession":
    """The export of a version. Raises ArtifactRefused where it has none, or its bytes are not those registered."""
    key = version.onnx.get("key")
    if not key:
        reason = version.onnx.get("reason", "none was made")
        raise ArtifactRefused(f"{version.name} version {version.version} has no ONNX export: {reason}")
    body = store.read(key)
    found = hashlib.sha256(body).hexdigest()
    if found != version.onnx["sha256"]:
        raise ArtifactRefused(
            f"{key}: its sha256 is {found}, that of version {version.version} in the registry is"
            f" {version.onnx['sha256']}. Put the registered bytes back, or train anew."
        )
    return session(body)


def session(body: bytes) -> "InferenceSession":
    """A session of one thread that says nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, too
    return onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])


def run(session: "InferenceSession", given: Columns) -> NDArray[np.float64]:
    """A line per row of an estimator's inputs, given by column: a probability per class in the estimator's order, or
    the number."""
    (found,) = session.run([session.get_outputs()[-1].name], _feed(session, given))
    return np.asarray(found, dtype=np.float64).reshape(len(found), -1)


def _feed(session: "InferenceSession", given: Columns) -> dict[str, NDArray[Any]]:
    """A column of its own per input, as pipelines name them."""
    return {
        wanted.name: np.asarray(given[wanted.name], dtype=_KINDS[wanted.type]).reshape(-1, 1)
        for wanted in session.get_inputs()
    }
