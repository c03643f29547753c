"""Which version of a model is in use, its champion, and every change of it with who made it and why.

A change is one call of a function in Postgres: champion, events and notification commit together or not at all, so a
process killed at any moment leaves the old champion or the new one. A rollback holds the champion: no candidate
replaces it until a person releases it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.errors import UserError
from lastmile.learning.registry.events import Cause, record
from lastmile.learning.registry.versions import ModelVersion

Outcome = Literal["deployed", "same", "held", "changed"]

_CHAMPION = """
    SELECT versions.* FROM registry.model_versions AS versions JOIN registry.deployments USING (name, version)
    WHERE name = %s
"""
_EARLIER = """
    SELECT versions.* FROM registry.model_versions AS versions
    JOIN (
        SELECT name, version, max(id) AS newest FROM registry.events
        WHERE name = %s AND event IN ('promoted', 'rolled back') GROUP BY name, version
    ) AS events USING (name, version)
    LEFT JOIN registry.deployments AS used ON (used.name, used.version) = (versions.name, versions.version)
    WHERE used.name IS NULL
    ORDER BY newest DESC
"""
_DEPLOY = "SELECT registry.deploy(%s, %s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Deployment:
    """A row of registry.deployments."""

    name: str
    version: str
    since: datetime
    held_since: datetime | None
    held_by: str | None
    held_reason: str | None


def champion(connection: Connection, name: str) -> ModelVersion | None:
    """The version in use."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(_CHAMPION, [name]).fetchone()


def earlier(connection: Connection, name: str) -> list[ModelVersion]:
    """Versions that were in use before the champion, the latest in use first."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(_EARLIER, [name]).fetchall()


def deployment(connection: Connection, name: str) -> Deployment | None:
    with connection.cursor(row_factory=class_row(Deployment)) as cursor:
        return cursor.execute("SELECT * FROM registry.deployments WHERE name = %s", [name]).fetchone()


def promote(connection: Connection, version: ModelVersion, against: str | None, cause: Cause) -> Outcome:
    """Put a version in use that was judged against the champion `against`, None where there was none: `changed` where
    another one is champion by now, `held` where the champion is held, `same` where it is in use already."""
    return _deploy(connection, version, "promoted", cause, against or "", hold=False)


def roll_back(connection: Connection, version: ModelVersion, cause: Cause) -> Outcome:
    """Put an earlier version in use, whatever it was judged, and hold it."""
    return _deploy(connection, version, "rolled back", cause, None, hold=True)


def _deploy(
    connection: Connection, version: ModelVersion, event: str, cause: Cause, against: str | None, hold: bool
) -> Outcome:
    given = [version.name, version.version, event, cause.reason, cause.actor, cause.run_id, against, hold]
    with connection.transaction():
        return _outcome(connection, given)


def _outcome(connection: Connection, given: list[Any]) -> Outcome:
    ((outcome,),) = connection.execute(_DEPLOY, given).fetchall()
    found: Outcome = outcome
    return found


def hold(connection: Connection, name: str, cause: Cause) -> Deployment:
    """Keep candidates from replacing the champion until `release`. Raises UserError where there is none."""
    return _change_hold(connection, name, cause, "held", (cause.actor, cause.reason))


def release(connection: Connection, name: str, cause: Cause) -> Deployment:
    """Let candidates replace the champion again. Raises UserError where there is none."""
    return _change_hold(connection, name, cause, "released", (None, None))


def _change_hold(
    connection: Connection, name: str, cause: Cause, event: str, held: tuple[str | None, str | None]
) -> Deployment:
    change = """
        UPDATE registry.deployments SET held_by = %s, held_reason = %s,
            held_since = CASE WHEN %s::text IS NOT NULL THEN now() END
        WHERE name = %s RETURNING *
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(Deployment)) as cursor:
        found = cursor.execute(change, [*held, held[0], name]).fetchone()
        if found is None:
            raise UserError(f"no version of {name} is in use: `lastmile models list` shows the models that have one")
        record(connection, name, found.version, event, cause)
    return found


def predicted_by_others(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """Of these predictions those with partitions that were not made by their model's champion, in words."""
    found = {}
    for name in names:
        current = champion(connection, name)
        rows = connection.execute(
            "SELECT model_version, count(*) FROM registry.predictions"
            " WHERE name = %s AND model_version IS DISTINCT FROM %s GROUP BY 1 ORDER BY 1",
            [name, current and current.version],
        ).fetchall()
        if rows:
            by = ", ".join(f"{count} partitions by version {version}" for version, count in rows)
            found[name] = f"{by}; version {current.version} is in use" if current else f"{by}; no version is in use"
    return found
