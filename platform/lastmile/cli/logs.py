"""`lastmile logs`: what all processes logged about a drop, a run, a dataset or a trace, in the order of time."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def logs(
    drop: Annotated[int | None, typer.Option(help="Of the drop with this number, and of its trace.")] = None,
    run: Annotated[str | None, typer.Option(help="Of the run whose id begins so, and Dagster's events of it.")] = None,
    dataset: Annotated[str | None, typer.Option(help="About this dataset.")] = None,
    trace: Annotated[str | None, typer.Option(help="Of the trace whose id begins so.")] = None,
    process: Annotated[str | None, typer.Option(help="Of one process, such as api, daemon, worker.")] = None,
    since: Annotated[str | None, typer.Option(help="Not older than 10m, 2h, 1d, or a time such as 2026-03-01.")] = None,
    level: Annotated[Literal["debug", "info", "warning", "error"], typer.Option(help="The least to show.")] = "debug",
    last: Annotated[int, typer.Option(min=0, help="The newest so many lines; 0 for all.")] = 1_000,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, for programs.")] = False,
) -> None:
    """Gather log lines of all processes, what the ledger recorded of the drop, and Dagster's events of the run.

    Example: lastmile logs --drop 12
    """
    from lastmile.operations.logs.line import Wanted
    from lastmile.orchestration.gathered_logs import gathered

    settings = Settings.from_environment()
    wanted = Wanted(drop, run, dataset, trace, process, _moment(since), level)
    with _database(settings, is_needed=drop is not None) as (connection, store):
        try:
            for number, lines in enumerate(gathered(settings, connection, store, wanted, follow)):
                for line in lines[-last:] if number == 0 else lines:
                    print(line.as_json() if as_json else line.as_text(), flush=follow)
        except KeyboardInterrupt:
            return


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    if found := re.fullmatch(r"(\d+)([smhd])", since):
        return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        return datetime.fromisoformat(since).astimezone()
    except ValueError:
        raise UserError(f"--since is {since!r}: expected 10m, 2h or 1d, or a time such as 2026-03-01T12:00") from None


@contextmanager
def _database(settings: Settings, is_needed: bool) -> "Iterator[tuple[Connection | None, str]]":
    """The database that runs, whose absence is no reason to show nothing of the files."""
    from lastmile.embedded.database import running_url
    from lastmile.store import open_store
    from lastmile.warehouse.connections import connect

    try:
        opened = connect(running_url(settings))
    except UserError as error:
        if is_needed:
            raise
        typer.echo(f"of files only: {error}", err=True)
        yield None, ""
        return
    with opened as connection:
        yield connection, open_store(settings).url
