"""The executor of all runs: Dagster's in-process one, which an interrupt ends.

Dagster's own tries a step again that was interrupted, where its asset has a retry policy as all of ours have. SIGTERM
was then without effect: the worker went on until it was killed. This one ends the run, as canceled where that was
requested and as failed otherwise, so that the daemon retries it.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.executor.in_process import InProcessExecutor

_INTERRUPTS = (DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)


class InterruptibleExecutor(InProcessExecutor):
    """Ends with the first step that was interrupted."""

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        for event in super().execute(plan_context, execution_plan):
            yield event
            if event.is_step_up_for_retry and _is_interrupt(event.step_retry_data.error):
                raise DagsterExecutionInterruptedError


@dg.executor(name="in_process", config_schema=dg.in_process_executor.config_schema.as_field())
def interruptible_executor(context: dg.InitExecutorContext) -> InterruptibleExecutor:
    """In place of `dg.in_process_executor`, with the same name and configuration."""
    made: Any = dg.in_process_executor.executor_creation_fn
    usual: InProcessExecutor = made(context)
    return InterruptibleExecutor(usual.retries, usual.step_dependency_config, usual.marker_to_close)


def _is_interrupt(error: Any) -> bool:
    while error is not None:
        if error.cls_name in _INTERRUPTS:
            return True
        error = error.cause
    return False
