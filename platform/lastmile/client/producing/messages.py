"""What a producer sends: the messages of records, each with an id that stays the same however often it is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from lastmile.client.producing.encoding import Envelopes
from lastmile.client.producing.journal import DEAD_LETTER, EVENT, Placed

ID, COUNT, REASON, TOPIC = "event-id", "events", "reason", "topic"


@dataclass(frozen=True)
class Target:
    """Where events go, and how: `many` of them in an envelope, waiting so long for one another."""

    client: Mapping[str, Any]
    topic: str
    dead_letters: str
    envelopes: Envelopes | None
    many: int
    linger_seconds: float


class Outgoing(NamedTuple):
    """A message, and how many events it has."""

    topic: str
    value: bytes
    key: bytes | None
    headers: list[tuple[str, str | bytes | None]]
    events: int


def messages(records: Sequence[Placed], target: Target, journal: str) -> Iterator[Outgoing]:
    """In the order of the records. The id is that of the journal, and the place in it of the first event."""
    for kind, run in groupby(records, lambda one: one.record.kind):
        if kind == EVENT and target.envelopes is not None:
            yield from _enveloped(list(run), target.envelopes, target.topic, journal)
            continue
        for place, record in run:
            id_ = (ID, f"{journal}-{place}")
            if kind == EVENT:
                yield Outgoing(target.topic, record.value, record.key, [id_], 1)
            elif kind == DEAD_LETTER:
                headers = [id_, (REASON, record.key), (TOPIC, target.topic)]
                yield Outgoing(target.dead_letters, record.value, None, headers, 1)
            else:
                yield Outgoing(target.topic, record.value, None, [id_, (COUNT, record.key)], record.events)


def _enveloped(run: Sequence[Placed], envelopes: Envelopes, topic: str, journal: str) -> Iterator[Outgoing]:
    for first, count, value in envelopes.made([one.record.value for one in run]):
        yield Outgoing(topic, value, None, [(ID, f"{journal}-{run[first].place}"), (COUNT, str(count))], count)
