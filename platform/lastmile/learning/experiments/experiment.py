"""Experiments as they are kept: a plan that is fixed when it starts, and events that say what became of it.

A model has one running experiment at most: two on the same answers would disturb each other.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.errors import UserError
from lastmile.learning.registry import deployments
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.versions import ModelVersion

Mode = Literal["shadow", "split"]
State = Literal["running", "stopped", "decided"]


@dataclass(frozen=True)
class Plan:
    """What an experiment is to find out, and by what; all that cannot change once it runs."""

    name: str
    model: str
    mode: Mode
    #: Versions. The control is what answers in shadow.
    control: str
    treatments: list[str]
    #: Columns of the feature set that identify what is assigned.
    unit: list[str]
    #: One of `metrics.NAMES`.
    metric: str
    alpha: float
    #: Rows with outcomes at which the one test is made.
    planned_size: int
    hypothesis: str
    salt: str


@dataclass(frozen=True)
class Experiment(Plan):
    """A plan and how it stands."""

    state: State
    #: Of units that treatments get now; None in shadow.
    share: float | None
    started_at: datetime
    started_by: str
    reason: str
    ended_at: datetime | None
    #: The version decided for.
    decision: str | None

    @property
    def versions(self) -> list[str]:
        """The control first."""
        return [self.control, *self.treatments]


@dataclass(frozen=True)
class Event:
    """A row of registry.experiment_events."""

    at: datetime
    event: str
    share: float | None
    decision: str | None
    verdict: str | None
    reason: str
    actor: str


_FOUND = """
    SELECT plans.*, shares.share, started.at AS started_at, started.actor AS started_by, started.reason,
        ended.at AS ended_at, ended.decision, coalesce(ended.event, 'running') AS state
    FROM registry.experiments AS plans
    JOIN registry.experiment_events AS started ON started.experiment = plans.name AND started.event = 'started'
    LEFT JOIN LATERAL (
        SELECT share FROM registry.experiment_events
        WHERE experiment = plans.name AND share IS NOT NULL ORDER BY id DESC LIMIT 1
    ) AS shares ON true
    LEFT JOIN LATERAL (
        SELECT at, event, decision FROM registry.experiment_events
        WHERE experiment = plans.name AND event IN ('stopped', 'decided') ORDER BY id DESC LIMIT 1
    ) AS ended ON true
"""
_INSERT = """
    INSERT INTO registry.experiments
        (name, model, mode, control, treatments, unit, metric, alpha, planned_size, hypothesis, salt)
    VALUES (%(name)s, %(model)s, %(mode)s, %(control)s, %(treatments)s, %(unit)s, %(metric)s, %(alpha)s,
        %(planned_size)s, %(hypothesis)s, %(salt)s)
"""
_EVENT = """
    INSERT INTO registry.experiment_events (experiment, event, share, decision, verdict, reason, actor)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def new_salt() -> str:
    return secrets.token_hex(16)


def start(connection: Connection, plan: Plan, cause: Cause, share: float | None = None) -> Experiment:
    """Begin it; of a split, treatments get this share of units. Raises UserError where the model has a running one, or
    the name was used."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('registry.experiments'))")
        if other := running(connection, plan.model):
            raise UserError(
                f"{plan.model} has the running experiment {other.name}: one at a time; end it with"
                f" `lastmile experiments stop {other.name}` or decide it"
            )
        if connection.execute("SELECT 1 FROM registry.experiments WHERE name = %s", [plan.name]).fetchone():
            raise UserError(f"there was an experiment {plan.name} already: its rows stay, so choose another name")
        connection.execute(_INSERT, vars(plan))
        connection.execute(_EVENT, [plan.name, "started", share, None, None, cause.reason, cause.actor])
        return named(connection, plan.name)


def running(connection: Connection, model: str) -> Experiment | None:
    """The experiment that the model's answers are part of."""
    return next((one for one in experiments(connection, model) if one.state == "running"), None)


def experiments(connection: Connection, model: str | None = None) -> list[Experiment]:
    """All, or those of a model, the newest first."""
    with connection.cursor(row_factory=class_row(Experiment)) as cursor:
        query = f"{_FOUND} WHERE %(model)s::text IS NULL OR plans.model = %(model)s ORDER BY started.id DESC"
        return cursor.execute(query, {"model": model}).fetchall()


def named(connection: Connection, name: str) -> Experiment:
    """Raises UserError where there is none of that name."""
    with connection.cursor(row_factory=class_row(Experiment)) as cursor:
        found = cursor.execute(f"{_FOUND} WHERE plans.name = %s", [name]).fetchone()
    if found is None:
        known = ", ".join(one.name for one in experiments(connection)) or "none"
        raise UserError(f"no experiment is named {name}; there are: {known}")
    return found


def history(connection: Connection, name: str) -> list[Event]:
    """What happened to it, the oldest first."""
    with connection.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            "SELECT at, event, share, decision, verdict, reason, actor FROM registry.experiment_events"
            " WHERE experiment = %s ORDER BY id",
            [name],
        ).fetchall()


def ramp(connection: Connection, name: str, share: float, cause: Cause) -> Experiment:
    """Give treatments a larger share of units. Raises UserError for a smaller one: units would move back."""
    with _changing(connection, name) as experiment:
        if experiment.share is None:
            raise UserError(f"{name} is a shadow experiment: every unit is predicted by all versions, none is assigned")
        if not experiment.share < share < 1:
            raise UserError(f"expected a share between {experiment.share:g}, the present one, and 1; found {share:g}")
        connection.execute(_EVENT, [name, "share changed", share, None, None, cause.reason, cause.actor])
    return named(connection, name)


def stop(connection: Connection, name: str, cause: Cause) -> Experiment:
    """End it without a decision; the champion stays. Raises UserError where it is not running."""
    with _changing(connection, name):
        connection.execute(_EVENT, [name, "stopped", None, None, None, cause.reason, cause.actor])
    return named(connection, name)


def decide(connection: Connection, name: str, version: ModelVersion, verdict: str, cause: Cause) -> Experiment:
    """End it for one of its versions, with what the report said: a treatment is promoted, in the same transaction.

    Raises UserError where it is decided already, the version is none of its own, or the champion is held or is no
    longer the control.
    """
    with _changing(connection, name, ("running", "stopped")) as experiment:
        if version.version not in experiment.versions:
            raise UserError(f"{name} compares the versions {', '.join(experiment.versions)}, not {version.version}")
        if version.version != experiment.control:
            _promote(connection, experiment, version, cause)
        connection.execute(_EVENT, [name, "decided", None, version.version, verdict, cause.reason, cause.actor])
    return named(connection, name)


@contextmanager
def _changing(connection: Connection, name: str, states: Sequence[State] = ("running",)) -> Iterator[Experiment]:
    """The experiment, which nothing else changes meanwhile. Raises UserError where it is in none of these states."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('registry.experiments'))")
        found = named(connection, name)
        if found.state not in states:
            decided = f" for version {found.decision}" if found.decision else ""
            raise UserError(f"experiment {name} is {found.state}{decided} since {found.ended_at:%Y-%m-%d %H:%M}")
        yield found


def _promote(connection: Connection, experiment: Experiment, version: ModelVersion, cause: Cause) -> None:
    why = Cause(f"experiment {experiment.name}: {cause.reason}", cause.actor, cause.run_id)
    outcome = deployments.promote(connection, version, experiment.control, why)
    if outcome == "held":
        raise UserError(
            f"the champion of {experiment.model} is held: `lastmile models release {experiment.model}` first"
        )
    if outcome == "changed":
        champion = deployments.champion(connection, experiment.model)
        raise UserError(
            f"{experiment.name} compared with version {experiment.control}, but version"
            f" {champion.version if champion else 'none'} of {experiment.model} is in use by now: stop it, and start"
            " one against that"
        )
