"""Dagster's daemon, quicker and cheaper: `python -m lastmile.orchestration.runs <workspace.yaml>`.

Dagster's loops look every few seconds, whether anything has happened or not, which costs a tenth of a core and still
leaves seconds between the runs that follow each other. Here they look when something has happened, which the database,
the landing area and the code server say (`pace`, `changes`, `arrivals`), and otherwise once a minute.

It keeps its connections to the database, as Dagster's webserver does. By default every query logs in anew, 23 times a
second with nothing to do, which was half of its processor time and more of Postgres's.

It also ends the runs that run monitoring does not check: a slow start is no reason to give up, a dead worker is.
"""

import logging
import time
from itertools import count
from pathlib import Path
from threading import Thread

from dagster import DagsterInstance
from psycopg import Connection

from lastmile import telemetry
from lastmile.orchestration.code_reload import await_code_server
from lastmile.orchestration.dagster_compat.daemon import run_daemon
from lastmile.orchestration.dagster_compat.execution import capture_interrupts
from lastmile.orchestration.pools import limit_pools
from lastmile.orchestration.runs.arrivals import follow
from lastmile.orchestration.runs.changes import standing
from lastmile.orchestration.runs.connection_pool import keep_connections
from lastmile.orchestration.runs.pace import Pace
from lastmile.orchestration.runs.workers import end_lost
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connections import connect, database_url

_LOOK_SECONDS, _LOOKS_PER_LOST_RUNS = 1.0, 5
_RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


def run(workspace: str) -> None:
    """Work until interrupted by SIGINT or SIGTERM."""
    telemetry.start("daemon")
    settings, pace = Settings.from_environment(), Pace()
    with capture_interrupts(), DagsterInstance.get() as instance:
        keep_connections(instance)
        limit_pools(instance)
        await_code_server(Path(workspace))
        _start("changes", _follow_changes, settings, instance, pace)
        _start("arrivals", follow, pace, open_store(settings), settings.notifications_url)
        run_daemon(instance, workspace, pace.wait, pace.wake, pace.end)


def _start(name: str, work: object, *arguments: object) -> None:
    Thread(target=work, args=arguments, name=name, daemon=True).start()  # type: ignore[arg-type]


def _follow_changes(settings: Settings, instance: DagsterInstance, pace: Pace) -> None:
    """Until it is known that nothing is under way, the loops look as if something were."""
    while True:
        try:
            with connect(database_url(settings)) as connection:
                _follow(connection, instance, pace)
        except Exception:
            pace.work(True)
            log.exception("cannot see what has happened; trying again in %s s", _RETRY_SECONDS)
            time.sleep(_RETRY_SECONDS)


def _follow(connection: Connection, instance: DagsterInstance, pace: Pace) -> None:
    before = standing(connection)
    for look in count():
        now = standing(connection)
        pace.work(bool(now.working))
        if now.may_be_followed(before):
            pace.wake()
        if now.working and look % _LOOKS_PER_LOST_RUNS == 0:
            end_lost(instance)
        before = now
        time.sleep(_LOOK_SECONDS)
