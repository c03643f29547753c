"""A run whose worker gets SIGTERM ends with the step at work, whatever that step's retries."""

import os
import signal

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster_private import carried_out

from lastmile.orchestration.dagster_compat.execution import capture_interrupts
from lastmile.orchestration.dagster_compat.executor import interruptible_executor


@pytest.mark.parametrize(
    ("canceling", "status"), [(False, DagsterRunStatus.FAILURE), (True, DagsterRunStatus.CANCELED)]
)
def test_an_interrupted_run_ends_at_once_although_its_steps_have_retries(tmp_path, canceling, status):
    begun: list[str] = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=3))
    def first(context: dg.AssetExecutionContext) -> None:
        begun.append("first")
        if canceling:
            context.instance.report_run_canceling(context.run)
        os.kill(os.getpid(), signal.SIGTERM)
        begun.append("the rest of first")

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=3))
    def other() -> None:
        begun.append("other")

    defs = dg.Definitions([first, other], executor=interruptible_executor)
    with DagsterInstance.local_temp(str(tmp_path)) as instance, capture_interrupts():
        run = carried_out(instance, defs.resolve_implicit_global_asset_job_def())
    assert (run.status, begun) == (status, ["first"])


def test_a_step_that_fails_is_tried_again_as_before(tmp_path):
    begun: list[str] = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=3))
    def first() -> None:
        begun.append("first")
        if len(begun) < 3:
            raise ValueError("not yet")

    defs = dg.Definitions([first], executor=interruptible_executor)
    with DagsterInstance.local_temp(str(tmp_path)) as instance, capture_interrupts():
        run = carried_out(instance, defs.resolve_implicit_global_asset_job_def())
    assert (run.status, len(begun)) == (DagsterRunStatus.SUCCESS, 3)
