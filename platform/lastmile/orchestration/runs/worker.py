"""The worker of one run, in a process that has nothing else to do.

Before anything else it writes its number and start time to the run, so every run that has begun can be checked for
whether its worker lives, by any process that comes later and without anything having been kept in memory.
"""

import os
import sys

from dagster import DagsterInstance

from lastmile.orchestration.dagster_compat.execution import capture_interrupts, execute_run
from lastmile.orchestration.runs.cause import record_cause
from lastmile.orchestration.runs.connection_pool import keep_connections
from lastmile.orchestration.runs.workers import record_worker


def work(run_id: str) -> None:
    """Carry out the run to its end; SIGTERM and SIGINT end it in order, as a canceled one."""
    with capture_interrupts(), DagsterInstance.get() as instance:
        keep_connections(instance)  # a run stores hundreds of events, and logging in costs 10 ms
        record_worker(instance, run_id, os.getpid())
        record_cause(instance, run_id)
        execute_run(instance, run_id)


if __name__ == "__main__":
    work(sys.argv[1])
