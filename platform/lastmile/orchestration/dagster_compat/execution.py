"""Carrying out a run in the process that is there, and letting signals end a process in order."""

import os
from collections.abc import Callable, Sequence

from dagster import DagsterEvent, DagsterInstance
from dagster._core.events import EngineEventData
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

__all__ = ["capture_interrupts", "execute_run"]


def process_of(words: Sequence[str]) -> str | None:
    """What a process is that is one of Dagster's own commands and loads our code; None for any other."""
    commands = {"grpc": "code-server", "execute_run": "worker", "execute_step": "worker"}
    return commands.get(words[2]) if words[1:2] == ["api"] and len(words) > 2 else None


def execute_run(instance: DagsterInstance, run_id: str, follow: Callable[[DagsterEvent], None]) -> None:
    """Carry out the run to its end, which Dagster has written to its storage when this returns or raises; `follow` is
    called with each event, that of a step's start before the step begins.

    Raises ValueError where there is no such run, or it does not say where its code is.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.job_code_origin is None:
        raise ValueError(f"no run {run_id} that says where its code is")
    pid = os.getpid()
    instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
    for event in core_execute_run(recon_job_from_origin(run.job_code_origin), run, instance, inject_env_vars=False):
        follow(event)
