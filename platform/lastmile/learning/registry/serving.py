"""The estimator that answers: the champion's, or where its artifact cannot be used, that of the one before it."""

import logging
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lastmile.learning.declarations.model import Model
from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.deployments import champion, earlier
from lastmile.learning.registry.versions import ModelVersion, load
from lastmile.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InUse:
    """A version and its estimator; `instead_of` says why it is not the champion's."""

    version: ModelVersion
    estimator: Any
    instead_of: str | None = None


def in_use(connection: Connection, store: Store, model: Model) -> InUse | None:
    """None while no version was ever in use. Raises ArtifactRefused where no version that was in use can be loaded."""
    current = champion(connection, model.name)
    if current is None:
        return None
    reasons: list[str] = []
    for version in (current, *earlier(connection, model.name)):
        try:
            estimator = load(store, version, model.trusted)
        except ArtifactRefused as refused:
            log.warning("version %s of %s cannot be used: %s", version.version, model.name, refused)
            reasons.append(f"version {version.version}: {refused}")
        else:
            return InUse(version, estimator, "; ".join(reasons) or None)
    raise ArtifactRefused("; ".join(reasons))
