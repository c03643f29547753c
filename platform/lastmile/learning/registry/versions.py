"""Versions of models: what each was made from, how good it is, and where its artifact lies.

A version is made once and never changed. The row is written after its files, so a row's files are always there: the
artifact, the rows it was fitted on, what was predicted in evaluation, and the export to ONNX where there is one.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from lastmile.errors import UserError
from lastmile.learning.registry import artifacts
from lastmile.learning.registry.events import Cause, record
from lastmile.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from lastmile.learning.registry.onnx_export import Exported

_INSERT = """
    INSERT INTO registry.model_versions
        (name, version, artifact_key, sha256, feature_set, features, data_versions, scores, run_id, model_type,
        signature, code_version, environment, snapshot_key, held_out_key, onnx)
    VALUES (%(name)s, %(version)s, %(artifact_key)s, %(sha256)s, %(feature_set)s, %(features)s, %(data_versions)s,
        %(scores)s, %(run_id)s, %(model_type)s, %(signature)s, %(code_version)s, %(environment)s, %(snapshot_key)s,
        %(held_out_key)s, %(onnx)s)
    RETURNING *
"""
#: What a model's numbers depend on.
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Candidate:
    """A trained model before it has a version. `data_versions` has at least `recipe` and `rows`, a hash of the rows."""

    name: str
    estimator: Any
    feature_set: str
    features: list[str]
    data_versions: Mapping[str, Any]
    scores: Mapping[str, Any]
    run_id: str | None = None
    #: Types the artifact may hold besides scikit-learn's.
    trusted: tuple[str, ...] = ()
    signature: Mapping[str, Any] = field(default_factory=dict)
    code_version: str | None = None
    #: The rows it was fitted on, and what evaluation predicted for rows it had not seen.
    rows: "pd.DataFrame | None" = None
    held_out: "pd.DataFrame | None" = None
    #: The same model as ONNX, or why there is none.
    onnx: "Exported | None" = None
    #: Why it was trained.
    reason: str = "trained"


@dataclass(frozen=True)
class ModelVersion:
    """A row of registry.model_versions."""

    name: str
    version: str
    created_at: datetime
    artifact_key: str
    sha256: str
    feature_set: str
    features: list[str]
    data_versions: dict[str, Any]
    scores: dict[str, Any]
    run_id: str | None
    id: int
    #: Class of the estimator that predicts, such as HistGradientBoostingClassifier.
    model_type: str | None
    #: Names and kinds of the inputs, and of what is predicted.
    signature: dict[str, Any]
    code_version: str | None
    #: Versions of Python and of the libraries it was made with.
    environment: dict[str, str]
    #: The rows it was fitted on, and what evaluation predicted for rows it had not seen; both Parquet in the store.
    snapshot_key: str | None
    held_out_key: str | None
    #: Key, sha256 and parity of the export to ONNX, or the reason why there is none.
    onnx: dict[str, Any]

    def made_from(self, rows: str, recipe: str) -> bool:
        """Whether these rows and this recipe would give this model again."""
        return (self.data_versions.get("rows"), self.data_versions.get("recipe")) == (rows, recipe)


def latest(connection: Connection, name: str) -> ModelVersion | None:
    found = versions(connection, name, most=1)
    return found[0] if found else None


def versions(connection: Connection, name: str, most: int | None = None) -> list[ModelVersion]:
    """The newest first."""
    query = "SELECT * FROM registry.model_versions WHERE name = %s ORDER BY version::int DESC LIMIT %s"
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(query, [name, most]).fetchall()


def every_version(connection: Connection) -> list[ModelVersion]:
    """Of all models, by name, the newest first."""
    query = "SELECT * FROM registry.model_versions ORDER BY name, version::int DESC"
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(query).fetchall()


def version_of(connection: Connection, name: str, version: str) -> ModelVersion:
    """Raises UserError where there is none, with those there are."""
    known = versions(connection, name)
    for one in known:
        if one.version == version.removeprefix("v"):
            return one
    made = ", ".join(one.version for one in known) or "none yet"
    raise UserError(f"the model {name} has no version {version!r}; it has: {made}")


def register(connection: Connection, store: Store, candidate: Candidate) -> ModelVersion:
    """Give the candidate the next version; where it equals the latest in rows and recipe, that one is returned.

    Raises ArtifactRefused for an estimator that could not be loaded again.
    """
    from lastmile.learning.registry import snapshots  # of pandas, which who only reads versions does without

    body = artifacts.dump(candidate.name, candidate.estimator, candidate.trusted)
    made_of = candidate.data_versions
    snapshot = (
        snapshots.keep(store, candidate.feature_set, made_of["rows"], candidate.rows)
        if candidate.rows is not None
        else None
    )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"registry.model_versions {candidate.name}"])
        newest = latest(connection, candidate.name)
        if newest and newest.made_from(made_of["rows"], made_of["recipe"]):
            return newest
        number = str(int(newest.version) + 1 if newest else 1)
        files = _put_files(store, candidate, f"models/{candidate.name}/{number}", body)
        row = {**_row(candidate), **files, "version": number, "snapshot_key": snapshot}
        with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
            made = cursor.execute(_INSERT, row).fetchall()[0]
        cause = Cause(candidate.reason, "lastmile", candidate.run_id)
        record(connection, made.name, made.version, "registered", cause)
    return made


def _put_files(store: Store, candidate: Candidate, folder: str, body: bytes) -> dict[str, Any]:
    """Store what belongs to the version; its keys and digests."""
    store.put(f"{folder}/model.skops", body)
    found: dict[str, Any] = {
        "artifact_key": f"{folder}/model.skops",
        "sha256": artifacts.digest(body),
        "held_out_key": None,
        "onnx": Jsonb(candidate.onnx.keep(store, f"{folder}/model.onnx") if candidate.onnx else {}),
    }
    if candidate.held_out is not None:
        from lastmile.learning.frames import as_parquet

        found["held_out_key"] = f"{folder}/held_out.parquet"
        store.put(found["held_out_key"], as_parquet(candidate.held_out))
    return found


def _row(candidate: Candidate) -> dict[str, Any]:
    as_json = ("features", "data_versions", "scores", "signature")
    return {
        "name": candidate.name,
        "feature_set": candidate.feature_set,
        "run_id": candidate.run_id,
        "code_version": candidate.code_version,
        **{name: Jsonb(getattr(candidate, name)) for name in as_json},
        "model_type": _type_of(candidate.estimator),
        "environment": Jsonb(environment()),
    }


def environment() -> dict[str, str]:
    """Versions of Python and of the libraries that a model's numbers depend on."""
    return {"python": sys.version.split()[0], **{name: metadata.version(name) for name in _LIBRARIES}}


def _type_of(estimator: Any) -> str:
    """The class of the last step of a pipeline."""
    steps = getattr(estimator, "steps", None)
    return type(steps[-1][1] if steps else estimator).__name__


def load(store: Store, version: ModelVersion, trusted: tuple[str, ...] = ()) -> Any:
    """The estimator of a version. Raises ArtifactRefused where the bytes or what they hold are not as registered."""
    return artifacts.load(store, version.artifact_key, version.sha256, trusted)
