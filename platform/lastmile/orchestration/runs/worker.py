"""The worker of one run: forked, or started as `python -m lastmile.orchestration.runs.worker <run id>`.

Before anything else it writes its number and start time to the run, so every run that has begun can be asked whether
its worker lives, by whoever comes later and without anything having been kept in memory.
"""

import os
import sys

from dagster import DagsterInstance
from dagster._core.events import EngineEventData
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from lastmile.orchestration.runs.workers import record_worker


def execute(run_id: str) -> None:
    """Carry out the run to its end, which Dagster has written to its storage when this returns or raises."""
    with DagsterInstance.get() as instance:
        pid = os.getpid()
        record_worker(instance, run_id, pid)
        run = instance.get_run_by_id(run_id)
        if run is None or run.job_code_origin is None:
            raise ValueError(f"no run {run_id} that says where its code is")
        instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
        for _ in core_execute_run(recon_job_from_origin(run.job_code_origin), run, instance, inject_env_vars=False):
            pass


def work(run_id: str) -> None:
    """Carry out the run in a process that has nothing else to do."""
    with capture_interrupts():  # SIGTERM and SIGINT end the run in order, as a canceled one
        execute(run_id)


if __name__ == "__main__":
    work(sys.argv[1])
