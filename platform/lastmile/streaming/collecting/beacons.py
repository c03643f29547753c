"""The body of a beacon as events, whatever content type a browser gives it, and what the collector adds to them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from lastmile.errors import Malformed

#: Columns that a page need not, or must not, say itself.
Added = Literal["client_ip", "received_at", "user_agent"]
MOST_EVENTS = 1_000
_LONGEST = 2_000


def events_of(body: bytes) -> list[dict[str, Any]]:
    """One event, or a list of them. Raises Malformed."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"expected an event as JSON, or a list of them: {error}") from None
    events = found if isinstance(found, list) else [found]
    if not 1 <= len(events) <= MOST_EVENTS:
        raise Malformed(f"expected 1 to {MOST_EVENTS:,} events, found {len(events):,}")
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise Malformed(f"expected each event to be an object; number {number} is {_shown(event)}")
    return events


def _shown(value: Any) -> str:
    return orjson.dumps(value)[:100].decode("utf-8", "replace")


def completed(
    events: Collection[dict[str, Any]], adds: Collection[Added], address: str, agent: str
) -> Iterator[Mapping[str, Any]]:
    """The events with what is added, over what they say themselves."""
    known: Mapping[Added, str | None] = {
        "client_ip": address,
        "received_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "user_agent": agent[:_LONGEST] or None,
    }
    added: dict[str, Any] = {name: known[name] for name in adds}
    return ({**event, **added} for event in events)
