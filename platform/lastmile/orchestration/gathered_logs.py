"""Everything that was logged about something, of all processes, of the ledger and of Dagster, in the order of time."""

import time
from collections.abc import Iterator

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.ledger.query import find
from lastmile.operations.logs.files import LogFiles
from lastmile.operations.logs.line import Line, Wanted
from lastmile.operations.logs.recorded import of_drop, with_traces
from lastmile.orchestration.run_lines import RunLines
from lastmile.settings import Settings

_LOOKED_SECONDS = 0.5


def gathered(
    settings: Settings, connection: Connection | None, store: str, wanted: Wanted, follow: bool = False
) -> Iterator[list[Line]]:
    """The lines there are; with `follow` then, for ever, those that are added. Without a connection, of files only.

    Raises UserError where there is no such drop.
    """
    files, key = LogFiles(settings.home / "logs"), None
    runs = RunLines(connection) if connection else None
    if connection and wanted.drop is not None:
        wanted, key = with_traces(connection, wanted), _key(connection, store, wanted.drop)
    shown = 0
    while True:
        recorded = of_drop(connection, wanted) if connection else []
        of_runs = sorted({str(line.ids["run"]) for line in recorded if "run" in line.ids})
        new = [line for line in recorded[shown:] if wanted.has(line)]
        shown = len(recorded)
        of_dagster = runs.new_lines(wanted, key, of_runs) if runs else []
        known = {(line.ids["run"], line.message) for line in of_dagster}  # what Dagster recorded may be logged as well
        logged = [one for one in files.new_lines(wanted) if (one.ids.get("run"), one.message) not in known]
        yield sorted([*logged, *new, *of_dagster], key=lambda line: line.at)
        if not follow:
            return
        time.sleep(_LOOKED_SECONDS)


def _key(connection: Connection, store: str, drop_id: int) -> str:
    if (found := find(connection, store, drop_id)) is None:
        raise UserError(f"there is no drop {drop_id} in {store}; `GET /api/v1/drops` and the web UI list them")
    return found.key
