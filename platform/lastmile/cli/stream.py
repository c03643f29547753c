"""`lastmile stream`: which streams there are, reading one, how they stand, what of them is in quarantine."""

import json
import os
import signal
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.cli.tables import print_table
from lastmile.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from lastmile.streaming.status import StreamStatus

stream = typer.Typer(help="Streams: events of Kafka topics, as windows and as drops.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The stream's name.")]
_EXAMPLE_WIDTH, _MOST_SHOWN = 72, 1_000


@stream.command("list")
def overview(as_json: AsJson = False) -> None:
    """Show the streams that are declared: topic, dataset, windows, what becomes of late events.

    Example: lastmile stream list
    """
    from lastmile.contracts.loading import load_contracts
    from lastmile.streaming.declarations.loading import load_streams

    settings = Settings.from_environment()
    declared = load_streams(settings.assets, load_contracts(settings.assets))
    if as_json:
        names = ("name", "topic", "contract", "event_time", "format", "late", "lands", "owner", "description")
        rows = [
            {name: getattr(one, name) for name in names} | {"windows": [window.name for window in one.windows]}
            for one in declared.values()
        ]
        print(json.dumps(rows, default=str))
        return
    table = Table("stream", "topic", "dataset", "windows", "late events", "drops", "owner", box=None)
    for one in declared.values():
        late = f"{one.late} after {one.lateness}"
        windows = ", ".join(window.name for window in one.windows)
        table.add_row(one.name, one.topic, one.contract, windows, late, "yes" if one.lands else "no", one.owner)
    console = Console()
    if declared:
        print_table(table)
    else:
        print("no streams are declared")
    for broken in declared.broken:
        console.print(str(broken), markup=False, highlight=False, soft_wrap=True)


@stream.command()
def run(
    name: Name,
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when all there is was committed and landed.")
    ] = False,
) -> None:
    """Read a stream here, next to the processes that do already, until Ctrl-C.

    Example: lastmile stream run page_views --until-caught-up
    """
    from lastmile.embedded import kafka
    from lastmile.embedded.database import database
    from lastmile.settings.group import load
    from lastmile.settings.kafka import KafkaSettings
    from lastmile.streaming.start import running
    from lastmile.warehouse.migrate import migrate

    settings = Settings.from_environment()
    with database(settings) as url:
        migrate(url)
        broker = load(KafkaSettings, {**os.environ, **kafka.variables(settings)}).client()
        reading = running(settings, name, until_caught_up, url, broker)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: reading.stop())
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        console = Console(stderr=True)
        with Progress(*columns, transient=True, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("joining the group", total=None)
            reading.run(lambda events: progress.update(task, description=f"{events:,} events committed"))
    print(f"{name}: {reading.events:,} events committed")


@stream.command()
def replay(
    name: Name,
    first: Annotated[str, typer.Option("--from", help="First day in UTC, such as 2026-03-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day, included.")],
    window: Annotated[list[str] | None, typer.Option(help="Only this window; give it again for more.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the windows that begin on some days anew from landed events, while the stream goes on.

    Example: lastmile stream replay page_views --from 2026-03-01 --to 2026-03-07
    """
    from lastmile.embedded.database import database
    from lastmile.store import open_store
    from lastmile.streaming.replay.days import day
    from lastmile.streaming.replay.replay import replay
    from lastmile.streaming.start import declared
    from lastmile.warehouse.migrate import migrate

    settings = Settings.from_environment()
    one, contract = declared(settings, name)
    span = day(first), day(last)
    with database(settings) as url:
        migrate(url)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        with Progress(*columns, transient=True, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("beginning", total=None)

            def show(work: str, total: int, done: int) -> None:
                progress.update(task, description=work, total=total, completed=done)

            found = replay(url, open_store(settings), one, contract, *span, window or (), show)
    if as_json:
        print(json.dumps([asdict(made) for made in found], default=str))
        return
    table = Table("window", "from", "before", "events", "rows before", "rows after", "changed", box=None)
    for made in found:
        counts = [f"{count:,}" for count in (made.events, made.rows_before, made.rows_after, made.rows_changed)]
        table.add_row(made.window, _moment(made.span.first), _moment(made.span.until), *counts)
    print_table(table)


@stream.command()
def status(
    name: Annotated[str | None, typer.Argument(help="Only this stream, partition by partition.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how streams stand: lag, watermark, late and left-out events, processes.

    Example: lastmile stream status
    """
    from lastmile.streaming.start import declared
    from lastmile.streaming.status import partitions, statuses, unread

    settings = Settings.from_environment()
    with opened(settings) as (connection, _):
        found = statuses(connection, name)
        parts = partitions(connection, name) if name else []
        waiting = unread(connection, name)
    if name and not found:
        declared(settings, name)
    if as_json:
        rows = [asdict(one) | {"late_share": one.late_share} for one in found]
        print(json.dumps({"streams": rows, "partitions": parts, "unread": waiting}, default=str))
        return
    console = Console()
    if found:
        print_table(_standing(found))
    else:
        print(f"stream {name} was not read yet" if name else "no stream was read yet: see `lastmile stream list`")
    if parts:
        print_table(_by_partition(parts))
    for stream_name, problem in waiting.items():
        console.print(f"{stream_name}: {problem}", markup=False, highlight=False, soft_wrap=True)
    for one in found:
        if one.problem:
            console.print(f"{one.stream}: {one.problem}", markup=False, highlight=False, soft_wrap=True)
        if one.gone:
            console.print(f"{one.stream}: {one.gone:,} messages were deleted by the broker before they were read")


@stream.command()
def quarantine(
    name: Annotated[str | None, typer.Argument(help="Only of this stream.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only what broke this rule, such as late or message.")] = None,
    rows: Annotated[int, typer.Option("--rows", help="So many of the newest; --json has all their bytes.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show messages and events that were left out, and why.

    Example: lastmile stream quarantine page_views --rule late --rows 5
    """
    from lastmile.quarantine.messages import Messages, counts, newest

    selection = Messages(name, rule)
    with opened(Settings.from_environment()) as (connection, _):
        found = counts(connection, selection)
        shown = newest(connection, selection, rows) if rows else []
    if as_json:
        print(json.dumps({"rules": found, "messages": list(map(_printable, shown))}, default=str))
        return
    console = Console()
    example = Column("such as", max_width=_EXAMPLE_WIDTH, overflow="fold")
    table = Table("stream", "rule", "messages", "newest", example, box=None)
    for one in found:
        at = f"{one['newest']:%Y-%m-%d %H:%M:%S}"
        table.add_row(one["stream"], one["rule"], f"{one['messages']:,}", at, one["example"])
    if found:
        print_table(table)
    else:
        print("no message is in quarantine")
    for one in map(_printable, shown):
        short = {**one, "raw": one["raw"] and _begun(one["raw"])}
        console.print(json.dumps(short, default=str), markup=False, highlight=False, soft_wrap=True)


def _begun(text: str) -> str:
    more = len(text) - _MOST_SHOWN
    return text if more <= 0 else f"{text[:_MOST_SHOWN]}… and {more:,} characters more"


def _standing(found: "list[StreamStatus]") -> Table:
    table = Table(
        "stream", "lag", "watermark", "events", "late", "duplicate", "quarantined", "processes", "committed", box=None
    )
    for one in found:
        table.add_row(
            one.stream,
            "?" if one.lag is None else f"{one.lag:,}",
            _moment(one.watermark),
            f"{one.events:,}",
            f"{one.late:,} ({one.late_share:.1%})",
            f"{one.duplicate:,}",
            f"{one.quarantined:,}",
            str(one.consumers),
            _moment(one.committed_at),
        )
    return table


def _by_partition(parts: list[dict[str, Any]]) -> Table:
    table = Table("partition", "committed", "landed", "end", "lag", "newest event", "read by", box=None)
    for one in parts:
        numbers = [
            str(one[name]) if one[name] is not None else "" for name in ("committed", "landed", "end_offset", "lag")
        ]
        table.add_row(str(one["partition"]), *numbers, _moment(one["event_time"]), one["consumer"])
    return table


def _moment(at: "datetime | None") -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def _printable(row: dict[str, Any]) -> dict[str, Any]:
    """Bytes as text as far as they are, a lateness in seconds."""
    found = dict(row)
    for name, value in row.items():
        if isinstance(value, bytes):
            found[name] = value.decode("utf-8", "backslashreplace")
        elif isinstance(value, timedelta):
            found[name] = value.total_seconds()
    return found
