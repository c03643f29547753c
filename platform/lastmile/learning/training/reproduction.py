"""Making a version again, from exactly the rows it was made from, and saying whether it comes out the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.frames import content
from lastmile.learning.registry import snapshots
from lastmile.learning.registry.versions import ModelVersion, environment, load
from lastmile.learning.training.fitting import predicted, recipe
from lastmile.learning.training.preparation import prepare
from lastmile.store import Store


@dataclass(frozen=True)
class Reproduction:
    """`scores` has each metric then and now; `difference` is the largest between the two estimators' predictions."""

    scores: Mapping[str, tuple[float, float]]
    difference: float
    rows: int
    #: What is not as it was: the rows, the declaration, a library.
    changed: list[str]

    @property
    def is_exact(self) -> bool:
        """The same scores and predictions, bit for bit."""
        return self.difference == 0 and all(then == now for then, now in self.scores.values())


def reproduce(store: Store, declared: Declared[Model], version: ModelVersion) -> Reproduction:
    """Train from the version's snapshot with the model's declaration as it is now.

    Raises SnapshotLost, and ArtifactRefused where the version's own artifact cannot be loaded.
    """
    model = declared.value
    if version.snapshot_key is None:
        raise snapshots.SnapshotLost(f"version {version.version} of {model.name} was made before snapshots were kept")
    rows = snapshots.read(store, version.snapshot_key)
    trained = train_and_evaluate(model, prepare(model, rows).rows)
    before = load(store, version, model.trusted)
    both = [predicted(model, estimator, rows) for estimator in (before, trained.estimator)]
    now = trained.evaluation.as_json()
    return Reproduction(
        scores={name: (version.scores[name], now[name]) for name in model.score_names() if name in version.scores},
        difference=float(np.abs(both[0] - both[1]).max(initial=0.0)),
        rows=len(rows),
        changed=_changed(declared, version, content(rows)),
    )


def _changed(declared: Declared[Model], version: ModelVersion, rows: str) -> list[str]:
    found, made_of, libraries = [], version.data_versions, environment()
    if rows != made_of["rows"]:
        found.append(f"the snapshot's rows are {rows}, those registered {made_of['rows']}")
    if (now := recipe(declared.value, declared.code_version)) != made_of["recipe"]:
        found.append(f"the declaration changed since: recipe {now}, was {made_of['recipe']}")
    then: Mapping[str, Any] = version.environment
    others = {name: then[name] for name in then if then[name] != libraries.get(name)}
    return [*found, *(f"{name} was {version}, is {libraries.get(name)}" for name, version in others.items())]
