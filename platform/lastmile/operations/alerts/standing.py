"""How alerts stand, for people: the command line and the API show the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from lastmile.operations.alerts import book
from lastmile.operations.alerts.alert import Alert, Key
from lastmile.operations.alerts.delivery.outbox import undelivered
from lastmile.operations.alerts.routing import Silence, is_silenced, rank
from lastmile.operations.alerts.silences import silences


@dataclass(frozen=True)
class Standing:
    """Alerts that fire or are pending, the most severe first; keys of those `silenced`; how long ago all of it was
    evaluated, None where it never was."""

    alerts: Sequence[Alert]
    silenced: Sequence[Key]
    silences: Sequence[Silence]
    undelivered: Sequence[dict[str, Any]]
    evaluated_seconds: float | None


def standing(connection: Connection) -> Standing:
    kept, now = silences(connection), datetime.now(UTC)
    found = [one for one in book.alerts(connection).values() if one.state != "recovered"]
    return Standing(
        sorted(found, key=lambda one: (one.state != "firing", -rank(one.severity), one.key)),
        [one.key for one in found if is_silenced(kept, one, now)],
        kept,
        undelivered(connection, now),
        book.last_seen_seconds(connection),
    )
