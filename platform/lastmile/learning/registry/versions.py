"""Versions of models: what each was made from, how good it is, and where its artifact lies.

    current = latest(connection, "vulnerability")
    estimator = load(store, current)

A version is made once and never changed. The row is written after the artifact, so a row's artifact is always there.
An artifact is read only if its bytes are those of the row and it holds nothing but types of scikit-learn and those that
the model's declaration names: a list read from the artifact itself would protect nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from lastmile.store import Store

#: Modules and types, beyond those skops itself deems safe, of which scikit-learn builds fitted estimators: trees,
#: neighbors, kernels, losses, scores; and our own building blocks. None runs code when it is loaded.
MODULES = (
    "lastmile.learning.estimators.",
    *(
        f"sklearn.{module}."
        for module in (
            *("_loss.loss", "calibration", "cluster._bisect_k_means", "cluster._kmeans"),
            *("ensemble._hist_gradient_boosting", "feature_selection._mutual_info"),
            *("feature_selection._univariate_selection", "gaussian_process", "metrics._dist_metrics"),
            *("neighbors._ball_tree", "neighbors._kd_tree", "neural_network._stochastic_optimizers", "tree._tree"),
        )
    ),
)
TYPES = (
    *("numpy.dtype", "numpy.mean", "sklearn.utils._bunch.Bunch"),
    *("scipy.interpolate._bsplines.BSpline", "scipy._lib.array_api_compat.numpy._aliases.asarray"),
)

_INSERT = """
    INSERT INTO registry.model_versions
        (name, version, artifact_key, sha256, feature_set, features, data_versions, scores, run_id)
    VALUES (%(name)s, %(version)s, %(artifact_key)s, %(sha256)s, %(feature_set)s, %(features)s, %(data_versions)s,
        %(scores)s, %(run_id)s)
    RETURNING *
"""


class ArtifactRefused(Exception):
    """An artifact that is not the one registered, or holds types that are not ours."""


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
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(
            "SELECT * FROM registry.model_versions WHERE name = %s ORDER BY version::int DESC LIMIT 1", [name]
        ).fetchone()


def register(connection: Connection, store: Store, candidate: Candidate) -> ModelVersion:
    """Give the candidate the next version; where it equals the latest in rows and recipe, that one is returned.

    Raises ArtifactRefused for an estimator that could not be loaded again.
    """
    import skops.io  # with scikit-learn 3 CPU-s and 90 MB, which whatever declares a model would pay

    body = skops.io.dumps(candidate.estimator)
    _expected_types(f"model {candidate.name}", body, candidate.trusted)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"registry.model_versions {candidate.name}"])
        newest = latest(connection, candidate.name)
        versions = candidate.data_versions
        if newest and newest.made_from(versions["rows"], versions["recipe"]):
            return newest
        number = int(newest.version) + 1 if newest else 1
        key = f"models/{candidate.name}/{number}/model.skops"
        store.put(key, body)
        row = {
            **vars(candidate),
            "version": str(number),
            "artifact_key": key,
            "sha256": hashlib.sha256(body).hexdigest(),
            "features": Jsonb(candidate.features),
            "data_versions": Jsonb(dict(candidate.data_versions)),
            "scores": Jsonb(dict(candidate.scores)),
        }
        with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
            return cursor.execute(_INSERT, row).fetchall()[0]


def predicted_by_others(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """Of these predictions those with partitions that the newest version of their model has not made, in words."""
    found = {}
    for name in names:
        newest = latest(connection, name)
        rows = connection.execute(
            "SELECT model_version, count(*) FROM registry.predictions"
            " WHERE name = %s AND model_version IS DISTINCT FROM %s GROUP BY 1 ORDER BY 1",
            [name, newest and newest.version],
        ).fetchall()
        if rows:
            by = ", ".join(f"{count} partitions by version {version}" for version, count in rows)
            found[name] = f"{by}; the newest version is {newest.version if newest else 'none'}"
    return found


def load(store: Store, version: ModelVersion, trusted: tuple[str, ...] = ()) -> Any:
    """The estimator of a version. Raises ArtifactRefused where the bytes or what they hold are not as registered."""
    import skops.io

    body = store.read(version.artifact_key)
    found = hashlib.sha256(body).hexdigest()
    if found != version.sha256:
        raise ArtifactRefused(
            f"{version.artifact_key}: its sha256 is {found}, that of version {version.version} in the registry is"
            f" {version.sha256}. Put the registered bytes back, or train anew."
        )
    return skops.io.loads(body, trusted=_expected_types(version.artifact_key, body, trusted))


def _expected_types(name: str, body: bytes, trusted: tuple[str, ...]) -> list[str]:
    """What the artifact holds beyond what skops deems safe. Raises ArtifactRefused where that is not expected."""
    import skops.io

    found = skops.io.get_untrusted_types(data=body)
    if strangers := sorted(one for one in found if not (one.startswith(MODULES) or one in (*TYPES, *trusted))):
        raise ArtifactRefused(
            f"{name} holds types that it may not: {', '.join(strangers)}. If they are the model's own and do no harm"
            " when loaded, name them in `trusted` of its declaration."
        )
    return list(found)
