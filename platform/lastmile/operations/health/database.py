"""Processes that answer nothing themselves, by what they leave in Postgres: the daemon, workers of runs, consumers."""

import json
import socket
from collections.abc import Iterator

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from lastmile.operations.daemon import AWAY_SECONDS, last_heartbeat_seconds
from lastmile.operations.health.finding import Finding
from lastmile.process import Process
from lastmile.streaming.watched import signs_of

#: The tag of a run that says which process works for it.
WORKER_TAG = ".dagster/lastmile_worker"
#: A consumer gives a sign of life every two seconds.
SILENT_SECONDS = 30.0
_AT_WORK = """
SELECT r.run_id, t.value FROM dagster.runs r
LEFT JOIN dagster.run_tags t ON t.run_id = r.run_id AND t.key = %s
WHERE r.status = 'STARTED' ORDER BY r.id
"""


def daemon(connection: Connection) -> Finding:
    """By its heartbeats."""
    seconds = last_heartbeat_seconds(connection)
    if seconds is None:
        return Finding("daemon", False, "never heard of in this database; start it with `lastmile up`")
    if seconds > AWAY_SECONDS:
        what = f"not heard of for {seconds:.0f} s, expected every 30 s"
        return Finding("daemon", False, f"{what}: nothing is started meanwhile; see logs/daemon.log, start it again")
    return Finding("daemon", True, f"heard of {seconds:.0f} s ago")


def workers(connection: Connection) -> Finding:
    """Of the runs that work on this machine, each has a process that lives."""
    try:
        found = connection.execute(_AT_WORK, (WORKER_TAG,)).fetchall()
    except (UndefinedTable, InsufficientPrivilege):
        return Finding("workers", True, "no run yet")
    lost = list(_lost(found))
    if lost:
        which = ", ".join(lost)
        return Finding("workers", False, f"the worker of {which} is gone; the daemon ends such runs within seconds")
    return Finding("workers", True, f"{len(found)} at work")


def streams(connection: Connection, live: bool) -> Finding | None:
    """Those that a process of this machine reads, by its signs of life; None where there are none."""
    signs = signs_of(connection, socket.gethostname())
    if not signs:
        return None
    silent = [f"{one.stream} for {one.seconds:.0f} s" for one in signs if one.seconds > SILENT_SECONDS]
    if silent:
        return Finding("streams", False, f"no sign of life of {', '.join(silent)}; start its process again")
    waiting = [f"{one.stream}: {one.problem}" for one in signs if one.problem]
    if waiting and not live:
        return Finding("streams", False, f"waits, and goes on by itself: {'; '.join(waiting)}")
    return Finding("streams", True, f"{', '.join(one.stream for one in signs)} read")


def _lost(found: list[tuple[str, str | None]]) -> Iterator[str]:
    for run_id, recorded in found:
        if recorded and not Process(**json.loads(recorded)).is_alive():
            yield run_id
