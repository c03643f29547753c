"""What candidates were judged, against which champion, with the reasons; kept for ever."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from lastmile.learning.registry.events import Cause, record
from lastmile.learning.registry.versions import ModelVersion

_INSERT = """
    INSERT INTO registry.judgements (name, version, against, decision, reasons, comparison, run_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING *
"""
#: What a decision other than to promote is called among the events of a model.
_EVENTS = {"archive": "archived", "suspect": "suspected"}


@dataclass(frozen=True)
class Judged:
    """A row of registry.judgements: `against` is the champion at that time, empty where there was none."""

    id: int
    at: datetime
    name: str
    version: str
    against: str
    decision: str
    reasons: list[str]
    comparison: dict[str, Any]
    run_id: str | None


def keep(
    connection: Connection,
    version: ModelVersion,
    against: ModelVersion | None,
    decision: str,
    reasons: list[str],
    comparison: Mapping[str, Any],
    run_id: str | None,
) -> Judged:
    """Keep the judgement; the events have it, too, where the version is not promoted."""
    given = [version.name, version.version, against.version if against else "", decision]
    with connection.transaction(), connection.cursor(row_factory=class_row(Judged)) as cursor:
        judged = cursor.execute(_INSERT, [*given, Jsonb(reasons), Jsonb(dict(comparison)), run_id]).fetchall()[0]
        if event := _EVENTS.get(decision):
            cause = Cause("; ".join(reasons), "lastmile", run_id)
            record(connection, version.name, version.version, event, cause)
    return judged


def last(connection: Connection, name: str, version: str) -> Judged | None:
    """The last judgement of a version."""
    with connection.cursor(row_factory=class_row(Judged)) as cursor:
        return cursor.execute(
            "SELECT * FROM registry.judgements WHERE name = %s AND version = %s ORDER BY id DESC LIMIT 1",
            [name, version],
        ).fetchone()
