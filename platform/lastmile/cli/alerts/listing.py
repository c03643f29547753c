"""`lastmile alerts list` and `history`: what fires, what is pending or silenced, and what happened before."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.cli.status import duration
from lastmile.settings import Settings
from lastmile.settings.alerts import AlertSettings
from lastmile.settings.group import load

if TYPE_CHECKING:
    from lastmile.operations.alerts.standing import Standing

_COLOURS = {"info": "cyan", "warning": "yellow", "critical": "red"}
#: Alerts of one rule and owner that are shown one by one.
_MOST_SHOWN = 5


def overview(
    every: Annotated[bool, typer.Option("--all", help="Each alert, where many are of one rule.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what fires, is pending or silenced: since when, its value against the threshold, whose it is, what to do.

    Example: lastmile alerts list
    """
    from lastmile.operations.alerts.standing import standing

    with opened(Settings.from_environment()) as (connection, _):
        found = standing(connection)
    if as_json:
        print(json.dumps(asdict(found), default=str))
        return
    console, now = Console(), datetime.now(UTC)
    if found.alerts:
        console.print(_table(found, now, every))
        rules = dict.fromkeys(one.rule for one in found.alerts if one.state == "firing")
        for rule in rules:
            console.print(f"what to do: {load(AlertSettings).runbook}#{rule}", highlight=False, markup=False)
    else:
        console.print("nothing fires and nothing is pending")
    for line in _lines(found):
        console.print(line, style="yellow", highlight=False, markup=False)


def history(
    rule: Annotated[str | None, typer.Option(help="Only this rule, such as bad_share.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only this dataset or model, or `platform`.")] = None,
    limit: Annotated[int, typer.Option(help="Lines shown at most.", min=1)] = 50,
    messages: Annotated[bool, typer.Option("--messages", help="The messages instead, and which arrived.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what fired, was acknowledged, escalated and recovered, the newest first.

    Example: lastmile alerts history --rule freshness --limit 20
    """
    from lastmile.operations.alerts import book
    from lastmile.operations.alerts.delivery import outbox

    with opened(Settings.from_environment()) as (connection, _):
        found = outbox.messages(connection, limit) if messages else book.history(connection, limit, rule, subject)
    if as_json:
        print(json.dumps(found, default=str))
    elif not found:
        print("nothing yet")
    else:
        Console().print(_of_messages(found) if messages else _of_events(found))


def _table(found: "Standing", now: datetime, every: bool) -> Table:
    from lastmile.operations.alerts.wording import against

    table = Table("alert", "state", "since", "value", "owner", box=box.SIMPLE_HEAD)
    shown: dict[tuple[str, str], int] = {}
    for one in found.alerts:
        group = (one.rule, one.owner)
        shown[group] = shown.get(group, 0) + 1
        if every or shown[group] <= _MOST_SHOWN:
            state = "silenced" if one.key in found.silenced else "acknowledged" if one.acknowledged_at else one.state
            since = f"{duration((now - one.since).total_seconds())}"
            value = f"{against(one)}\n{one.text}" if one.text else against(one)
            colour = _COLOURS[one.severity] if state == "firing" else "dim"
            table.add_row(escape(one.name), f"[{colour}]{state}[/]", since, escape(value), escape(one.owner))
    for (rule, owner), count in shown.items():
        if count > _MOST_SHOWN and not every:
            table.add_row(f"and {count - _MOST_SHOWN:,} more of {rule}: --all", "", "", "", escape(owner))
    return table


def _lines(found: "Standing") -> list[str]:
    """What keeps alerts from arriving."""
    lines = [
        f"silence {one.id} until {one.until:%Y-%m-%d %H:%M} UTC by {one.by}: {one.comment}" for one in found.silences
    ]
    lines += [
        f"{row['messages']} messages do not arrive at {row['channel']}: {row['error']}" for row in found.undelivered
    ]
    if found.evaluated_seconds is None:
        lines.append("alerts were never evaluated: the watcher comes with `lastmile up`")
    elif found.evaluated_seconds > 120:
        lines.append(f"alerts were last evaluated {duration(found.evaluated_seconds)} ago: is the watcher up?")
    return lines


def _of_events(found: Sequence[dict[str, Any]]) -> Table:
    table = Table("at (UTC)", "what", "alert", "severity", "owner", "", box=box.SIMPLE_HEAD)
    for row in found:
        name = " ".join(filter(None, (row["rule"], row["subject"], row["part"])))
        said = [f"{row['at']:%Y-%m-%d %H:%M:%S}", row["event"], name, row["severity"], row["owner"], row["text"]]
        table.add_row(*map(escape, said))
    return table


def _of_messages(found: Sequence[dict[str, Any]]) -> Table:
    table = Table("at (UTC)", "message", "arrived", box=box.SIMPLE_HEAD)
    for row in found:
        arrived = f"{row['delivered']} of {len(row['channels'])}" if row["channels"] else "listed only"
        said = f"{arrived}: {row['error']}" if row["error"] else arrived
        table.add_row(f"{row['made_at']:%Y-%m-%d %H:%M:%S}", escape(row["title"]), escape(said))
    return table
