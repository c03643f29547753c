"""What messages hold, before there is a contract: events in whatever format they show, or rows that changed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lastmile.ingestion.readers.cells import cell_text
from lastmile.streaming.declarations.stream import PLACE, Format
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.codecs import codec_of_unknown, shown
from lastmile.streaming.messages.debezium import Change, Changes, Debezium
from lastmile.streaming.schemas.registry import Registry

#: Messages by which it is decided whether they are changes of rows.
_LOOKED_AT = 100


@dataclass(frozen=True)
class Events:
    """`frame` has the events' own columns; `poison` those of POISON. `key` is that of the rows that changed."""

    frame: pl.DataFrame
    poison: pl.DataFrame
    format: Format
    key: Sequence[str] = ()
    #: How the messages lie in the topic, in words.
    found: str = ""


def events_of(messages: Messages, form: Format, registry: Callable[[], Registry]) -> Events:
    """Raises UserError where the registry that messages need cannot be reached."""
    debezium = Debezium(registry)
    if form == "debezium" or (form == "auto" and _are_changes(debezium, messages)):
        return _rows(debezium.changes(messages))
    decoded = codec_of_unknown(form, registry).decode(messages)
    return Events(decoded.frame.drop(list(PLACE)), decoded.poison, form, found=_found(messages))


def _found(messages: Messages) -> str:
    """The formats that first bytes show, those of most messages first."""
    return ", ".join(name for name, _ in Counter(shown(value[:4]) for value in messages.values if value).most_common())


def _are_changes(debezium: Debezium, messages: Messages) -> bool:
    """Whether most messages with a value are: an event may have an `op` of its own."""
    some = [number for number, value in enumerate(messages.values) if value][-_LOOKED_AT:]
    found = [one for one in debezium.changes(messages.part(some)).found if one.before or one.after]
    return 2 * len(found) > len(some)


def _rows(changes: Changes) -> Events:
    """Each row as it was last, as far as all of it was sent; of rows without a key, all that were sent."""
    keys = [tuple(one.key) for one in changes.found if one.key]
    key = keys[-1] if keys else ()
    rows: dict[Any, Mapping[str, Any]] = {}
    for number, change in enumerate(changes.found):
        if change.after is not None and not change.unsent:
            rows[_identity(change, key, number)] = change.after
    columns = dict.fromkeys(name for row in rows.values() for name in row)
    texts = [{name: _text(value) for name, value in row.items()} for row in rows.values()]
    frame = pl.DataFrame(texts, schema=dict.fromkeys(columns, pl.String), orient="row")
    return Events(frame, changes.poison, "debezium", key, "debezium")


def _identity(change: Change, key: Sequence[str], number: int) -> Any:
    if not key or not change.key:
        return number
    return tuple(str(change.key.get(name)) for name in key)


def _text(value: Any) -> str | None:
    return "\\x" + value.hex() if isinstance(value, bytes) else cell_text(value)
