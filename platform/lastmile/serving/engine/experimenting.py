"""Experiments where they need what models are declared in and rows: the plan, the report, the verdict of a decision."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from lastmile.access import audit
from lastmile.errors import UserError
from lastmile.learning.declarations.loading import load_models
from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments import experiment as kept
from lastmile.learning.experiments.page import page
from lastmile.learning.experiments.planning import Wish, plan
from lastmile.learning.experiments.report import current_report
from lastmile.learning.experiments.running import versions_of
from lastmile.learning.registry.events import Cause
from lastmile.settings import Settings
from lastmile.store import Store, open_store
from lastmile.warehouse.connections import connect, database_url


def start(model: str, wish: dict[str, Any], why: str, who: str, request: str) -> str:
    """As `lastmile experiments start`. What the planned size rests on, in words."""
    with _opened() as (connection, store):
        given = Wish(**wish)
        planned, basis = plan(connection, store, _declared(model), given)
        with connection.transaction():
            kept.start(connection, planned, Cause(why, who), given.share)
            audit.record(connection, audit.Entry(who, "start experiment", given.name, request=request))
    return basis


def report(name: str) -> dict[str, Any]:
    """What it shows so far, with the outcomes that became known."""
    with _opened() as (connection, _):
        experiment = kept.named(connection, name)
        return current_report(connection, _declared(experiment.model), experiment).as_json()


def report_page(name: str) -> str:
    """The same as HTML."""
    with _opened() as (connection, _):
        experiment = kept.named(connection, name)
        found = current_report(connection, _declared(experiment.model), experiment)
        return page(found, kept.history(connection, name))


def decide(name: str, version: str, why: str, who: str, request: str) -> str:
    """As `lastmile experiments decide`. The verdict that is kept with it."""
    with _opened() as (connection, _):
        experiment = kept.named(connection, name)
        chosen = versions_of(connection, experiment.model, [version])[version]
        verdict = current_report(connection, _declared(experiment.model), experiment).verdict
        with connection.transaction():
            kept.decide(connection, name, chosen, verdict, Cause(why, who))
            audit.record(connection, audit.Entry(who, f"decide experiment for {version}", name, request=request))
    return verdict


@contextmanager
def _opened() -> Iterator[tuple[Connection, Store]]:
    settings = Settings.from_environment()
    with connect(database_url(settings)) as connection:
        yield connection, open_store(settings)


def _declared(name: str) -> Model:
    models = load_models(Settings.from_environment().assets)
    if name not in models:
        raise UserError(f"no file declares the model {name}; declared: {', '.join(models) or 'none'}")
    return models[name].value
