"""Streams, by what is committed with their events: lag, silence, late and poison messages, consumers that are gone."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from psycopg import Connection

from lastmile.operations.alerts.kinds import written
from lastmile.operations.alerts.rule import Reading
from lastmile.quarantine.watched import left_out
from lastmile.streaming.watched import Counted, WatchedStream, late_share, watched

#: Of how long ago late events and poison messages count.
_LATE_WITHIN, _POISON_WITHIN = timedelta(minutes=15), timedelta(hours=1)
#: The share of late ones among fewer events says nothing.
_FEWEST = 100
_MOST_SAID = 300
#: Without a sign of life for so long, a stream is not read.
_ALIVE_SECONDS = 60.0


class Streams:
    """Remembers what was counted in the last quarter of an hour, so that old late events are over some time."""

    def __init__(self) -> None:
        self._counted: dict[str, deque[Counted]] = {}

    def readings(self, connection: Connection, now: datetime) -> Iterator[tuple[str, str, Reading | None]]:
        """Rule, stream and reading; None where nothing can be known now."""
        poison: dict[str, list[str]] = {}
        numbers: dict[str, int] = {}
        for row in left_out(connection, _POISON_WITHIN):
            poison.setdefault(row["stream"], []).append(f"{row['rule']}: {row['messages']:,}, as {row['example']}")
            numbers[row["stream"]] = numbers.get(row["stream"], 0) + row["messages"]
        for name, said in poison.items():
            yield "poison_messages", name, Reading(numbers[name], "", "; ".join(said)[:_MOST_SAID])
        for one in watched(connection):
            yield "consumer_dead", one.stream, _sign(one)
            if one.lag is not None:
                yield "consumer_lag", one.stream, Reading(one.lag, "", one.problem or "")
            if one.gone:
                yield "messages_gone", one.stream, Reading(one.gone, "", "of the last day")
            if one.silent_seconds is not None:
                yield "stream_silent", one.stream, _silence(one)
            if (share := self._late_share(one, now)) is not None:
                yield "late_share", one.stream, Reading(share, "", "of the events of the last minutes")

    def _late_share(self, one: WatchedStream, now: datetime) -> float | None:
        if one.events is None or one.late is None:
            return None
        newest, counted = Counted(now, one.events, one.late), self._counted.setdefault(one.stream, deque())
        if counted and newest.events < counted[-1].events:  # begun anew
            counted.clear()
        counted.append(newest)
        while len(counted) > 2 and counted[1].at <= now - _LATE_WITHIN:
            counted.popleft()
        return late_share(counted[0], newest, _FEWEST)


def _sign(one: WatchedStream) -> Reading:
    """Where messages wait, a process that does not get on with them is as good as none."""
    if one.lag and one.idle_seconds is not None and one.idle_seconds > one.sign_seconds:
        why = f": {one.problem}" if one.problem else ""
        return Reading(one.idle_seconds, "", f"{one.lag:,} messages wait and none is committed{why}"[:_MOST_SAID])
    return Reading(one.sign_seconds, "", "since the last sign of life of a process that reads it")


def _silence(one: WatchedStream) -> Reading | None:
    """What a stream that is not read would bring is not known."""
    if one.lag or one.silent_seconds is None or one.sign_seconds > _ALIVE_SECONDS:
        return None
    return Reading(one.silent_seconds, "", f"the newest message came {written(one.silent_seconds, 'duration')} ago")
