"""What happened to a model's versions, by whom and why: only ever added to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_EVENT = """
    INSERT INTO registry.events (name, version, event, reason, actor, run_id) VALUES (%s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True)
class Cause:
    """Why something is done, by whom, and in which run."""

    reason: str
    actor: str
    run_id: str | None = None


def record(connection: Connection, name: str, version: str, event: str, cause: Cause) -> None:
    """An event of a version; those of a change of champion are written by the function that changes it."""
    connection.execute(_EVENT, [name, version, event, cause.reason, cause.actor, cause.run_id])


def history(connection: Connection, name: str) -> list[Mapping[str, Any]]:
    """What happened to the model's versions, the newest first: at, version, event, previous, reason, actor, run_id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [
            *cursor.execute(
                "SELECT at, version, event, previous, reason, actor, run_id FROM registry.events"
                " WHERE name = %s ORDER BY id DESC",
                [name],
            )
        ]
