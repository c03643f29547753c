"""How far behind sources of changes are that nothing reads at the moment: their databases are asked, for seconds only.

A slot keeps the log of its database also while no run is due, no process follows it, or all of them fail. Metrics and
alerts go by what is found here, as by what a run sees.
"""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from lastmile.errors import UserError
from lastmile.sources.changes import positions
from lastmile.sources.changes.origin import end_of_log
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.declarations.source import Source
from lastmile.warehouse.connections import CLIENT

#: Of one database, to connect and for each statement; and of all of them together.
_SECONDS, _SECONDS_OF_ALL = 3, 12.0
_AT_ONCE = 8


def look(connection: Connection, sources: Mapping[str, Source]) -> list[str]:
    """Ask the databases of those that were not seen lately; which could not be asked, a sentence each."""
    slots = positions.unseen(connection)
    wanted = [one for one in sources.values() if isinstance(one, Changes) and one.name in slots]
    said: list[str] = []
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lag")
    try:
        asked = {one.name: pool.submit(_end_of_log, one, slots[one.name]) for one in wanted}
        wait(asked.values(), timeout=_SECONDS_OF_ALL)
        for name, answer in asked.items():
            try:
                if (end := _given(answer)) is not None:
                    positions.looked(connection, name, end)
                else:
                    said.append(f"{name}: its database has no slot {slots[name]} any more")
            except (UserError, psycopg.Error) as error:
                said.append(f"{name}: {' '.join(str(error).split())}")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return said


def _end_of_log(source: Changes, slot: str) -> int | None:
    """Where the log ends, None where nothing of it is kept for us."""
    url = make_conninfo(source.url.value(), **{**CLIENT, "connect_timeout": _SECONDS})
    with psycopg.connect(url, autocommit=True) as there:
        there.execute("SELECT set_config('statement_timeout', %s, false)", [f"{_SECONDS}s"])
        if there.execute("SELECT FROM pg_replication_slots WHERE slot_name = %s", [slot]).rowcount == 0:
            return None
        return end_of_log(there)


def _given(answer: "Future[int | None]") -> int | None:
    """Raises UserError where it has not come."""
    if not answer.done():
        raise UserError(f"no answer within {_SECONDS_OF_ALL:g} s")
    return answer.result()
