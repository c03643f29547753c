"""The worker of one run, in a process that has nothing else to do.

Before anything else it writes its number and start time to the run, so every run that has begun can be checked for
whether its worker lives, by any process that comes later and without anything having been kept in memory.
"""

import atexit
import os
import sys
import traceback
from typing import NoReturn

from dagster import DagsterInstance

from lastmile import telemetry
from lastmile.orchestration.dagster_compat.execution import capture_interrupts, execute_run
from lastmile.orchestration.pools import TRAINING
from lastmile.orchestration.runs.cause import record_cause
from lastmile.orchestration.runs.connection_pool import keep_connections
from lastmile.orchestration.runs.traced import work_of
from lastmile.orchestration.runs.workers import record_worker

_NICE = 10


def work(run_id: str) -> None:
    """Carry out the run to its end; SIGTERM and SIGINT end it in order, as a canceled one."""
    telemetry.start("worker")
    with capture_interrupts(), DagsterInstance.get() as instance:
        keep_connections(instance)  # a run stores hundreds of events, and logging in costs 10 ms
        record_worker(instance, run_id, os.getpid())
        record_cause(instance, run_id)
        give_way(instance, run_id)
        if run := instance.get_run_by_id(run_id):
            with work_of(run) as follow:
                execute_run(instance, run_id, follow)


def give_way(instance: DagsterInstance, run_id: str) -> None:
    """Let a run that trains have what the processor has to spare: a drop that comes meanwhile has a run next to it."""
    run = instance.get_run_by_id(run_id)
    pools = run.run_op_concurrency.all_pools if run and run.run_op_concurrency else None
    if pools and TRAINING in pools:
        os.nice(_NICE)


def leave(code: int) -> NoReturn:
    """End the process once what was registered for its end is done. To take apart all that it has imported, as an
    interpreter does, takes as long as a small run, in which a worker that is to end would be killed."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    code = 1
    try:
        work(sys.argv[1])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        leave(code)
