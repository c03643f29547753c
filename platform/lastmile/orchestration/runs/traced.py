"""A run as part of a trace: its request, its worker's work and each of its steps are spans, which its tags carry on.

A run for a single trace's drops continues that; one for many is of the tick that requested it, and linked to theirs.
"""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lastmile.orchestration.runs.cause import CAUSE_TAG
from lastmile.telemetry.spans import Done, Place, about, continuing, joining, span, traceparent

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterRun

TRACE_TAG = "lastmile/traceparent"
#: Hidden in the UI.
LINKS_TAG = ".dagster/lastmile_links"
#: Drops of a run that it is linked to.
MOST = 32


def trace_tags(traces: Sequence[str], **attributes: str | int) -> dict[str, str]:
    """The tags of a run for drops of these traces; none where nothing is traced."""
    different = {found.trace for one in traces if (found := Place.read(one))}
    own = traces[0] if len(different) == 1 else None
    others = () if own else traces
    with joining(own) as left, span("run.requested", links=[*left, *others], **attributes):
        here = traceparent()
    return {TRACE_TAG: here, **({LINKS_TAG: json.dumps(others)} if others else {})} if here else {}


def carried(run: "DagsterRun") -> str | None:
    return run.tags.get(TRACE_TAG)


@contextmanager
def work_of(run: "DagsterRun") -> Generator[Callable[["DagsterEvent"], None]]:
    """The work of the block is the run's. Yields what is to be called with each of its events: steps are spans too."""
    links = json.loads(run.tags.get(LINKS_TAG, "[]"))
    known = {"run": run.run_id, "cause": run.tags.get(CAUSE_TAG, "")}
    with about(run=run.run_id), continuing(carried(run)), span("run.work", links=links, **known) as done:
        steps = _Steps(run.run_id, done)
        with steps.under_way:
            yield steps.follow


class _Steps:
    """The steps of a run, one after the other; `under_way` holds the span of the one at work."""

    def __init__(self, run_id: str, of_run: Done) -> None:
        self._run_id, self._of_run = run_id, of_run
        self._of_step: Done | None = None
        self.under_way = ExitStack()

    def follow(self, event: "DagsterEvent") -> None:
        if event.is_step_start:
            known = {"run": self._run_id, "step": event.step_key or ""}
            self.under_way.enter_context(about(step=event.step_key))
            self._of_step = self.under_way.enter_context(span("run.step", **known))
        elif self._of_step and (event.is_step_success or event.is_step_failure or event.is_step_up_for_retry):
            failed = {} if event.is_step_success else {"problem": _reason(event)}
            self._of_step(state=event.event_type_value.removeprefix("STEP_").lower(), **failed)
            self.under_way.close()
        elif event.is_run_failure:
            self._of_run(problem=event.message)


def _reason(event: "DagsterEvent") -> str:
    found = getattr(event.event_specific_data, "error", None)
    while found is not None and found.cause:
        found = found.cause
    return found.message.strip() if found else event.message or "it failed"
