"""The export that answers requests: the champion's, or where that cannot be used, of the one in use before it.

Nothing here imports pandas or scikit-learn: a process that only answers holds ONNX Runtime and NumPy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import Connection

from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.deployments import champion, earlier
from lastmile.learning.registry.onnx_session import load_onnx
from lastmile.learning.registry.versions import ModelVersion
from lastmile.store import Missing, Store

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True)
class Export:
    """A version, its session, and the levels of its probabilities in their order, none where it predicts a number.
    `instead_of` says why it is not the champion's."""

    version: ModelVersion
    session: "InferenceSession"
    classes: tuple[str, ...]
    instead_of: str | None = None


def in_use(
    connection: Connection, store: Store, name: str, levels: Sequence[str], inputs: Sequence[str]
) -> Export | None:
    """None while no version was ever in use. Raises ArtifactRefused where none that was in use has an export."""
    current = champion(connection, name)
    if current is None:
        return None
    reasons: list[str] = []
    for version in (current, *earlier(connection, name)):
        try:
            found = load(store, version, levels, inputs)
        except ArtifactRefused as refused:
            reasons.append(str(refused))
        else:
            return Export(version, found.session, found.classes, "; ".join(reasons) or None)
    raise ArtifactRefused("; ".join(reasons))


def load(store: Store, version: ModelVersion, levels: Sequence[str], inputs: Sequence[str]) -> Export:
    """`levels` are those of the model, `inputs` of its features. Raises ArtifactRefused where it has no export that can
    be used."""
    try:
        session = load_onnx(store, version)
    except Missing:
        raise ArtifactRefused(f"{version.onnx['key']} is lost: {store.url} has no such object") from None
    if gone := sorted({one.name for one in session.get_inputs()} - {*inputs}):
        raise ArtifactRefused(
            f"version {version.version} of {version.name} needs {', '.join(gone)}, which its features have no longer"
        )
    return Export(version, session, _classes(version, len(session.get_outputs()), levels) if levels else ())


def _classes(version: ModelVersion, outputs: int, levels: Sequence[str]) -> tuple[str, ...]:
    """Versions exported before their order was kept have it from how they are made: scikit-learn's estimators, which
    name the level as well, sort levels, and ours keep them as declared."""
    kept = version.onnx.get("classes") or (sorted(levels) if outputs > 1 else levels)
    if strangers := sorted({*kept} - {*levels}):
        raise ArtifactRefused(
            f"version {version.version} of {version.name} knows the levels {', '.join(strangers)}, which the model does"
            " not declare: train it again"
        )
    return tuple(kept)
