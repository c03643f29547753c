"""Trains, registers, judges and promotes a model of fields, and dies by SIGKILL at a point."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fields import YIELD, fields

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.registry import deployments, judgements, snapshots, versions
from lastmile.learning.registry.events import Cause
from lastmile.learning.training import candidates
from lastmile.settings import Settings
from lastmile.store import Store, open_store
from lastmile.warehouse.connections import connect

#: Where a training can be killed, in the order in which it passes them.
POINTS: dict[str, tuple[Any, str, str]] = {
    "after training": (candidates, "register", "before"),
    "before the snapshot": (snapshots, "keep", "before"),
    "after the snapshot": (snapshots, "keep", "after"),
    "after the artifact": (Store, "put", "after"),
    "before the commit of the version": (versions, "_put_files", "after"),
    "after the commit of the version": (candidates, "register", "after"),
    "before the judgement": (judgements, "keep", "before"),
    "after the judgement": (judgements, "keep", "after"),
    "before the commit of the promotion": (deployments, "_outcome", "after"),
    "after the commit of the promotion": (deployments, "promote", "after"),
}


def lines() -> Any:
    """Fitted in a moment: what is tried here is not how well it predicts."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(make_column_transformer((SimpleImputer(), ["rain_mm"])), LogisticRegression())


DECLARED = Declared(replace(YIELD, estimator=lines), "fields", Path("fields.py"), "code 1")


def train(database_url: str, store_url: str, where: str | None = None) -> None:
    """At `where`, one of `POINTS`, it dies."""
    if where:
        place, name, when = POINTS[where]
        setattr(place, name, _dying(getattr(place, name), when))
    store = open_store(Settings(Path(store_url), None, store_url, "assets"))
    with connect(database_url) as connection:
        rows = fields(count=400)
        version, judged = candidates.train(connection, store, DECLARED, rows, Cause("a test", "pytest"))
        if judged.decision == "promote":
            deployments.promote(connection, version, judged.against or None, Cause("better", "lastmile"))


def _dying(step: Callable[..., Any], when: str) -> Callable[..., Any]:
    def dying(*args: Any, **options: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        step(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    return dying
