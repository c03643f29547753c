"""Dagster's daemon, quicker and cheaper than out of the box: `python -m lastmile.running.daemon <workspace.yaml>`.

It looks at backfills every 3 seconds. Dagster's 30, once to start a backfill and once to see that it ended, make a
minute and a half of waiting from drop to prediction, since what automation asks for several partitions is a backfill
and three follow each other. No setting changes it; should a later version rename the constant, only this is lost.

It keeps its connections to the database, as Dagster's webserver does. By default each of its 25 queries a second opens
one of its own, which took a quarter of a core from an idle machine.
"""

import sys

from dagster import DagsterInstance
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon import controller
from dagster._utils.interrupts import capture_interrupts

from lastmile.running.pooling import keep_connections

BACKFILL_SECONDS = 3


def run(workspace: str) -> None:
    """Work until interrupted by SIGINT or SIGTERM."""
    with DagsterInstance.get() as instance:
        keep_connections(instance)
        target = WorkspaceFileTarget([workspace])
        with controller.daemon_controller_from_instance(instance, target) as daemons:
            daemons.check_daemon_loop()


if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS
    with capture_interrupts():
        run(sys.argv[1])
