"""What the watcher knows while Postgres is dead: a file in the home, as whole as a transaction.

It has what is needed to go on warning: routes, the alerts that need no database to be judged, and messages that were
decided meanwhile. Once Postgres is back, what happened is put there, and the file is a copy again.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lastmile.contracts.alerts import Route
from lastmile.operations.alerts.alert import Alert, Key, Message

_TIMES = {one.name for kind in (Alert, Message) for one in fields(kind) if "datetime" in str(one.type)}


@dataclass
class Kept:
    """`is_ahead` tells that it holds what Postgres does not have yet. `delivered` are messages by id and channel."""

    routes: Sequence[Route] = ()
    alerts: dict[Key, Alert] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    delivered: list[tuple[str, str]] = field(default_factory=list)
    is_ahead: bool = False


class Spool:
    """The file, and a lock by which of two watchers of one home only the first uses it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._file = home / "alerts.json"
        self._lock = os.open(home / "alerts.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.kept, self._written = Kept(), ""
        with suppress(FileNotFoundError, ValueError, TypeError, KeyError):  # of another version: Postgres has it all
            self.kept = _read(json.loads(self._file.read_text()))

    def is_ours(self) -> bool:
        """Whether no other process of this home has it."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def write(self) -> None:
        """Whole or not at all, where anything changed."""
        text = json.dumps(_plain(self.kept), default=str)
        if text == self._written:
            return
        partial = self._file.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(self._file)
        self._written = text


def _plain(kept: Kept) -> dict[str, Any]:
    routes = [
        asdict(one) | {"escalate_after": one.escalate_after.total_seconds() if one.escalate_after else None}
        for one in kept.routes
    ]
    return {
        "routes": routes,
        "alerts": [asdict(one) for one in kept.alerts.values()],
        "messages": [asdict(one) for one in kept.messages],
        "delivered": kept.delivered,
        "is_ahead": kept.is_ahead,
    }


def _read(body: dict[str, Any]) -> Kept:
    alerts = [Alert(**_typed(one)) for one in body["alerts"]]
    routes = []
    for one in body["routes"]:
        after = one.pop("escalate_after")
        routes.append(Route(**_typed(one), escalate_after=timedelta(seconds=after) if after else None))
    return Kept(
        routes,
        {one.key: one for one in alerts},
        [Message(**_typed(one)) for one in body["messages"]],
        [(message, channel) for message, channel in body["delivered"]],
        body["is_ahead"],
    )


def _typed(body: dict[str, Any]) -> dict[str, Any]:
    """With times for their texts, and tuples for lists."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if name in _TIMES and value is not None:
            found[name] = datetime.fromisoformat(value)
        elif isinstance(value, list):
            found[name] = tuple(tuple(one) if isinstance(one, list) else one for one in value)
        else:
            found[name] = value
    return found
