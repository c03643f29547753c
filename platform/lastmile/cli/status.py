"""`lastmile status`: what there is, what is waiting, and what needs attention."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Column, Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.cli.progress.tables import report
from lastmile.embedded.faults import faults
from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.streaming.status import StreamStatus

_MOST_SHOWN = 5
_UNITS = (("year", 365 * 86_400), ("day", 86_400), ("hour", 3_600), ("minute", 60))


def status(
    as_json: AsJson = False,
) -> None:
    """Show drops and rows, what is waiting, what came late, what is quarantined, models and predictions.

    Example: lastmile status --json
    """
    from lastmile.operations.status import summary
    from lastmile.streaming.status import statuses

    settings = Settings.from_environment()
    with opened(settings) as (connection, store):
        state = summary(connection, store.url)
        attention = [*faults(settings), *_of_landing_area(connection, store.url)]
        streams = statuses(connection)
    if as_json:
        shown = [asdict(one) | {"late_share": one.late_share} for one in streams]
        print(json.dumps({**state, "streams": shown, "attention": attention}, default=str))
        return
    console = Console()
    report(console, state)
    if state["datasets"]:
        console.print(attention_table(state["datasets"]))
    for line in [*lines(state), *map(stream_line, streams)]:
        console.print(line, highlight=False)
    for sentence in attention:
        console.print(f"attention  {sentence}", style="red", markup=False, highlight=False)


def _of_landing_area(connection: "Connection", store: str) -> list[str]:
    """What cannot be listed there, what fits no contract, and which objects were deleted."""
    from lastmile.ledger.presence import gone, unlisted
    from lastmile.ledger.unrouted import unrouted

    misrouted = unrouted(connection, store)
    deleted = [f"{one['key']} (drop {one['id']})" for one in gone(connection, store, _MOST_SHOWN + 1)]
    shown = ", ".join(deleted[:_MOST_SHOWN]) + (", ..." if len(deleted) > _MOST_SHOWN else "")
    said = [f"deleted from the landing area, their rows stay: {shown}"] if deleted else []
    if misrouted:
        said.append(f"{len(misrouted):,} files fit no contract: see `lastmile unrouted list`")
    return [f"{key} is {why}" for key, why, _ in unlisted(connection, store)] + said


def attention_table(datasets: Mapping[str, Any]) -> Table:
    """Per dataset what needs attention, empty where nothing does, and the age of the newest drop; 80 columns wide."""
    headers = ("waiting", "late", "undecided", "failed", "newest drop")
    table = Table("dataset", *(Column(name, justify="right") for name in headers), box=box.SIMPLE_HEAD)
    table.title, table.title_justify = "What needs attention", "left"
    for name, found in datasets.items():
        undecided = [counted(found["undecided"][what], what) for what in ("rows", "drops")]
        table.add_row(
            name,
            f"{found['backlog']:,} for {duration(found['lag_seconds'])}" if found["backlog"] else "",
            f"{found['late']:,} by {duration(found['lateness_seconds'])}" if found["late"] else "",
            ", ".join(filter(None, undecided)),
            counted(found["failures"], "drops"),
            f"{duration(found['newest_age_seconds'])} ago",
        )
    return table


def counted(number: int, what: str) -> str:
    """`1 row`, `3 rows`; empty where there are none."""
    return f"{number:,} {what if number != 1 else what[:-1]}" if number else ""


def lines(state: Mapping[str, Any]) -> list[str]:
    """The same over all datasets, in words, each within 80 columns."""
    undecided = state["undecided"]
    by_state = ", ".join(f"{count:,} {name}" for name, count in sorted(state["drops"].items())) or "none yet"
    oldest = f", the oldest for {duration(state['lag_seconds'])}" if state["backlog"] else ""
    latest = f", the latest by {duration(state['lateness_seconds'])}" if state["late"] else ""
    what = " and ".join(filter(None, (counted(undecided["rows"], "rows"), counted(undecided["drops"], "whole drops"))))
    removed = f"; clean-up has removed the objects of {state['removed']:,}" if state["removed"] else ""
    return [
        f"drops      {by_state}{removed}",
        f"waiting    {state['backlog']:,}{oldest}",
        f"late       {state['late']:,} came after the end of their partition{latest}",
        f"undecided  {what}: see `lastmile quarantine list`" if what else "undecided  nothing is quarantined",
        f"failed     {state['failures']:,} drops failed or are missing",
    ]


def stream_line(one: "StreamStatus") -> str:
    """How a stream stands: `stream     sales: 3 behind, watermark 2 minutes ago, 1.0% late, 2 processes`."""
    behind = "never read to its end" if one.lag is None else f"{one.lag:,} behind" if one.lag else "caught up"
    ago = None if one.watermark is None else max((datetime.now(UTC) - one.watermark).total_seconds(), 0)
    watermark = "" if ago is None else f", watermark {duration(ago)} ago"
    read_by = f"{one.consumers} process{'es' if one.consumers != 1 else ''}" if one.consumers else "no process"
    return f"stream     {one.stream}: {behind}{watermark}, {one.late_share:.1%} late, {read_by}"


def duration(seconds: float) -> str:
    """In the largest unit of which there is at least one: `3 days`."""
    for unit, length in _UNITS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} s"
