"""Estimators as bytes, without pickle, and back again only if they are what was registered.

An artifact is loaded only if its digest is that of the registry's row and it holds nothing but types of scikit-learn,
of this platform's own estimators, and those that the model's declaration names: a list read from the artifact itself
would protect nothing.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from lastmile.store import Missing, Store

#: Modules and types, beyond those skops itself deems safe, of which scikit-learn builds fitted estimators: trees,
#: neighbors, kernels, losses, scores. None runs code when it is loaded.
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


class ArtifactRefused(Exception):
    """An artifact that is lost, is not the one registered, or holds types that are not ours."""


def digest(body: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(body).hexdigest()


def dump(name: str, estimator: Any, trusted: Sequence[str]) -> bytes:
    """The fitted estimator as bytes. Raises ArtifactRefused for one that could not be loaded again."""
    import skops.io  # with scikit-learn 3 CPU-s and 90 MB, which whatever declares a model would pay

    body: bytes = skops.io.dumps(estimator)
    _expected_types(f"model {name}", body, trusted)
    return body


def read(store: Store, key: str, sha256: str) -> bytes:
    """The registered bytes. Raises ArtifactRefused where they are lost or others."""
    try:
        body = store.read(key)
    except Missing:
        raise ArtifactRefused(
            f"{key} is lost: {store.url} has no such object. Put it back from a backup, roll back to another version,"
            " or train anew."
        ) from None
    if (found := digest(body)) != sha256:
        raise ArtifactRefused(
            f"{key}: its sha256 is {found}, that in the registry is {sha256}. Put the registered bytes back, or train"
            " anew."
        )
    return body


def load(store: Store, key: str, sha256: str, trusted: Sequence[str] = ()) -> Any:
    """The fitted estimator. Raises ArtifactRefused where the bytes or what they hold are not as registered."""
    import skops.io

    body = read(store, key, sha256)
    return skops.io.loads(body, trusted=_expected_types(key, body, trusted))


def _expected_types(name: str, body: bytes, trusted: Sequence[str]) -> list[str]:
    """What the artifact holds beyond what skops deems safe. Raises ArtifactRefused where that is not expected."""
    import skops.io

    found = skops.io.get_untrusted_types(data=body)
    if strangers := sorted(one for one in found if not (one.startswith(MODULES) or one in (*TYPES, *trusted))):
        raise ArtifactRefused(
            f"{name} holds types that it may not: {', '.join(strangers)}. If they are the model's own and do no harm"
            " when loaded, name them in `trusted` of its declaration."
        )
    return list(found)
