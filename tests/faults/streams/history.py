"""What happens to a stream, made from a seed: what is sent to which partition, and which faults strike meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from faults.streams.consumer import POINTS
from streamed import STREAM, expected, sale

PARTITIONS = 4
#: What a round does besides sending: see `playing`.
KINDS = (
    "die",
    "die next to another",
    "stand still",
    "stop in order",
    "kill the broker",
    "end sessions",
    "kill postgres",
)
POISON = (b"{", b"\xff", None, b"[1]")


@dataclass(frozen=True)
class Round:
    """Messages by partition, in order, and what strikes: its kind, a point, and which time that is reached."""

    sent: dict[int, list[Any]]
    kind: str
    point: str
    nth: int


@dataclass(frozen=True)
class History:
    """Rounds, one after the other; in the end all that was sent is read.

    Where it is `keyed` events are sent again, and each key counts once; where it is not, nothing but the positions
    stands between a batch and its repetition.
    """

    seed: int
    keyed: bool
    rounds: Sequence[Round]

    def partitions(self) -> dict[int, list[Any]]:
        """All messages by partition, in order."""
        found: dict[int, list[Any]] = {number: [] for number in range(PARTITIONS)}
        for one in self.rounds:
            for number, messages in one.sent.items():
                found[number] += messages
        return found


def history(seed: int, rounds: int = 5, events: int = 400) -> History:
    """Events move on by a few seconds each, are shuffled, repeated on the same or another partition, bad or late."""
    random = Random(seed)
    keyed = seed % 2 == 0
    kinds = [*random.sample(KINDS, min(rounds, len(KINDS)))]
    found = []
    number = 0
    for turn in range(rounds):
        made = []
        for _ in range(events // rounds):
            number += 1
            made.append(sale(number, number * 2 + random.uniform(-40, 5)))
        sent: dict[int, list[Any]] = {one: [] for one in range(PARTITIONS)}
        for event in _disturbed(random, made, keyed):
            sent[random.randrange(PARTITIONS)].append(event)
        found.append(Round(sent, kinds[turn % len(kinds)], random.choice(list(POINTS)), random.choice((1, 1, 2, 3))))
    return History(seed, keyed, found)


def _disturbed(random: Random, events: Sequence[dict[str, Any]], keyed: bool) -> Iterator[Any]:
    for event in events:
        chance = random.random()
        if chance < 0.02:
            yield random.choice(POISON)
        elif chance < 0.04:
            yield event | {"cents": -1}
        elif chance < 0.06:
            yield event | {"at": "2026-03-01T07:00:00Z"}
        else:
            yield event
        if keyed and chance > 0.9:
            yield event


def places(one: History, *, of_events: bool) -> list[tuple[int, int]]:
    """Partition and offset of each event, or of each message that is none."""
    return [
        (number, offset)
        for number, sent in sorted(one.partitions().items())
        for offset, event in enumerate(sent)
        if isinstance(event, dict) is of_events
    ]


def counted(partitions: dict[int, list[Any]]) -> list[dict[str, Any]]:
    """The events that count, by plain Python: valid, on time in their partition, each key once."""
    once: dict[str, dict[str, Any]] = {}
    for messages in partitions.values():
        newest: datetime | None = None
        for event in messages:
            if not isinstance(event, dict) or event["cents"] < 0:
                continue
            at = datetime.fromisoformat(event["at"])
            if newest is None or at >= newest - STREAM.lateness:
                once.setdefault(event["sale"], event)
            newest = at if newest is None else max(newest, at)
    return list(once.values())


def windows(one: History) -> list[dict[str, Any]]:
    """What the window has to hold in the end."""
    return expected(counted(one.partitions()))
