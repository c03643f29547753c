"""Dagster's daemon, quicker and cheaper: `python -m lastmile.orchestration.runs <workspace.yaml>`.

It checks backfills every 2 seconds. Dagster's 30, once to start a backfill and once to see that it ended, make a minute
and a half of waiting from drop to prediction, since what automation requests for several partitions is a backfill and
three follow each other. When a run has ended it checks sensors every second for a while, since each of the half dozen
runs that follow each other is requested by the second check after the one before; always, that would cost a tenth of a
core, so otherwise it is every 5.

It keeps its connections to the database, as Dagster's webserver does. By default every query logs in anew, 23 times a
second with nothing to do, which was half of its processor time and more of Postgres's.

It also ends the runs that run monitoring does not check: a slow start is no reason to give up, a dead worker is.
"""

import logging
import time
from threading import Thread

from dagster import DagsterInstance

from lastmile.orchestration.dagster_compat.daemon import run_daemon, set_backfill_interval, set_sensor_interval
from lastmile.orchestration.dagster_compat.execution import capture_interrupts
from lastmile.orchestration.runs.connection_pool import keep_connections
from lastmile.orchestration.runs.launcher import LocalRunLauncher
from lastmile.orchestration.runs.workers import end_lost

BACKFILL_SECONDS = 2
#: Between two checks of which sensors are due, for so long after a run has ended; otherwise Dagster's own interval.
_QUICK_SECONDS, _QUICK_FOR_SECONDS, _SECONDS = 1, 20, 5
_LOST_RUNS_SECONDS = 5

log = logging.getLogger(__name__)


def run(workspace: str) -> None:
    """Work until interrupted by SIGINT or SIGTERM."""
    set_backfill_interval(BACKFILL_SECONDS)
    with capture_interrupts(), DagsterInstance.get() as instance:
        keep_connections(instance)
        Thread(target=_end_lost_runs, args=(instance,), name="lost runs", daemon=True).start()
        Thread(target=_keep_pace, args=(instance.run_launcher,), name="pace", daemon=True).start()
        run_daemon(instance, workspace)


def _end_lost_runs(instance: DagsterInstance) -> None:
    while True:
        time.sleep(_LOST_RUNS_SECONDS)
        try:
            end_lost(instance)
        except Exception:
            log.exception("could not check for lost runs; trying again in %s s", _LOST_RUNS_SECONDS)


def _keep_pace(launcher: LocalRunLauncher) -> None:
    while True:
        is_quick = launcher.seconds_since_an_end() < _QUICK_FOR_SECONDS
        set_sensor_interval(_QUICK_SECONDS if is_quick else _SECONDS)
        time.sleep(_QUICK_SECONDS)
