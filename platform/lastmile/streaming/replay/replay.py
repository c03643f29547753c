"""A replay: the windows of some days made anew from landed events, while the stream goes on.

What is made lies in a table of its own until it is whole; the live stream adds what comes meanwhile to it as well. Then
it takes the place of the rows that were there, in one transaction: a replay that dies leaves everything as it was.
"""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import date

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.operators import windows_of
from lastmile.streaming.replay import under_way
from lastmile.streaming.replay.days import days
from lastmile.streaming.replay.landed import LandedEvents, landed_objects, within
from lastmile.streaming.replay.ranges import Range
from lastmile.streaming.replay.under_way import Replayable, Replayed
from lastmile.streaming.status import statuses
from lastmile.warehouse.connections import connect

#: What is done, how much of it there is and how much is done.
Progress = Callable[[str, int, int], None]
_LOOK_SECONDS = 0.5
#: How long nothing may land before it is said that nobody lands it.
_PATIENCE = 120.0


def replay(
    url: str,
    store: Store,
    stream: Stream,
    contract: Contract,
    first: date,
    last: date,
    only: Collection[str] = (),
    progress: Progress = lambda work, total, done: None,
) -> list[Replayed]:
    """Make the windows that begin on these days anew, or only those of these names.

    Raises UserError where the stream has none, its events do not land, or not all of them are there.
    """
    windows = _chosen(stream, contract, only)
    if first > last:
        raise UserError(f"{first} comes after {last}: give the earlier day first")
    with connect(url) as connection, under_way.only_one(connection, stream.name):
        for one in windows:
            one.prepare(connection)
        cuts, spans = under_way.begin(connection, stream, windows, days(first, last))
        try:
            events = _replay(connection, store, stream, contract, windows, cuts, spans, progress)
            return under_way.finish(connection, stream, windows, spans, events)
        except BaseException as error:
            _give_up(url, connection, stream, windows, str(error) or type(error).__name__)
            raise


def _replay(
    connection: Connection,
    store: Store,
    stream: Stream,
    contract: Contract,
    windows: list[Replayable],
    cuts: Mapping[int, int],
    spans: Mapping[str, Range],
    progress: Progress,
) -> int:
    """How many events were in the range."""
    _wait_until_landed(connection, stream, cuts, progress)
    whole = _around([one.events_of(spans[one.window.name]) for one in windows])
    objects = landed_objects(store, stream, contract, whole, cuts)
    if not objects and any(under_way.rows_within(connection, one, spans[one.window.name]) for one in windows):
        raise UserError(
            f"stream {stream.name}: windows of these days are there, and no landed events to make them from; were the"
            f" objects below landing/{contract.name}/ deleted?"
        )
    with LandedEvents(connection, store, stream, contract) as landed:
        for number, one in enumerate(objects):
            progress("objects read", len(objects), number)
            with connection.transaction():
                events = landed.read(one, whole, cuts[one.partition])
                for window in windows:
                    span = spans[window.window.name]
                    reduced = window.reduce(events.filter(within(stream.event_time, window.events_of(span))))
                    if reduced.height:
                        window.replay_part(connection, reduced, span)
        progress("objects read", len(objects), len(objects))
        return landed.events


def _chosen(stream: Stream, contract: Contract, only: Collection[str]) -> list[Replayable]:
    if not stream.lands:
        raise UserError(f"stream {stream.name}: its events do not land, so nothing can be replayed; declare lands=True")
    found = list[Replayable](one for one in windows_of(stream, contract) if not only or one.window.name in only)
    names = [window.name for window in stream.windows]
    if not found or (unknown := sorted(set(only) - set(names))):
        raise UserError(
            f"stream {stream.name} has no window {', '.join(unknown if found else only)}; it has"
            f" {', '.join(names) or 'none'}"
        )
    return found


def _wait_until_landed(connection: Connection, stream: Stream, cuts: Mapping[int, int], progress: Progress) -> None:
    """What was committed before the cut lands within half a minute while a process reads the stream."""
    total = left = under_way.unlanded(connection, stream, cuts)
    moved_at = time.monotonic()
    while left:
        progress("messages to be landed", total, total - left)
        found = statuses(connection, stream.name)
        if not any(one.consumers for one in found) or time.monotonic() - moved_at > _PATIENCE:
            raise UserError(
                f"stream {stream.name}: {left} messages are in windows and in no drop yet, and no process lands them:"
                f" run `lastmile stream run {stream.name} --until-caught-up`, then replay again"
            )
        time.sleep(_LOOK_SECONDS)
        now = under_way.unlanded(connection, stream, cuts)
        moved_at = time.monotonic() if now < left else moved_at
        left = now


def _around(spans: list[Range]) -> Range:
    firsts, untils = [one.first for one in spans], [one.until for one in spans]
    return Range(
        None if None in firsts else min(filter(None, firsts)), None if None in untils else max(filter(None, untils))
    )


def _give_up(url: str, connection: Connection, stream: Stream, windows: list[Replayable], why: str) -> None:
    """On a connection of its own, where the first is lost."""
    if not (connection.closed or connection.broken):
        under_way.give_up(connection, stream, windows, why)
        return
    with connect(url) as other:
        under_way.give_up(other, stream, windows, why)
