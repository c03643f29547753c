"""All processes of one installation, or one of them."""

from collections.abc import Iterator, Sequence

import psycopg

from lastmile.errors import UserError
from lastmile.operations.health import code_server, database, web
from lastmile.operations.health.endpoints import endpoints
from lastmile.operations.health.finding import Finding
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect

#: Those that answer on a port, and those seen in the database.
ANSWERING = ("code-server", "api", "webserver", "watcher")
SEEN = ("database", "daemon", "workers", "streams")
PROCESSES = (*ANSWERING, *SEEN)
#: The API's, where nothing says which it has.
_API_PORT = 3100


def health(
    settings: Settings, url: str | None, process: str | None, live: bool, port: int | None = None
) -> Iterator[Finding]:
    """Of one process or of all; `url` is the database, None where there is none; `port` is where the process answers,
    else what `lastmile up` has written down. Raises UserError where there is no such process."""
    if process is not None and process not in PROCESSES:
        raise UserError(f"no process {process!r}: expected one of {', '.join(PROCESSES)}")
    known = endpoints(settings.home)
    wanted = [process] if process else [name for name in PROCESSES if name in SEEN or name in known]
    yield from _answering([name for name in wanted if name in ANSWERING], known, live, port)
    if seen := [name for name in wanted if name in SEEN]:
        yield from _seen(seen, url, live, settings.profile == "single", is_named=process is not None)


def _answering(names: Sequence[str], known: dict[str, int], live: bool, port: int | None) -> Iterator[Finding]:
    for name in names:
        where = port or known.get(name) or (_API_PORT if name == "api" else None)
        if where is None:
            said = "nothing says on which port it answers: start it with `lastmile up`, or name the port with --port"
            yield Finding(name, False, said)
        elif name == code_server.NAME:
            yield code_server.answers(where, live)
        else:
            yield web.answers(name, where, live)


def _seen(names: Sequence[str], url: str | None, live: bool, is_single: bool, is_named: bool) -> Iterator[Finding]:
    try:
        if url is None:
            raise UserError("no database: none runs in this home; start it with `lastmile up`")  # noqa: TRY301
        with connect(url) as connection:
            for name in names:
                if found := _of(name, connection, is_single, live):
                    yield found
                elif is_named:
                    said = "no process of this machine reads one: start it with `lastmile stream run NAME`"
                    yield Finding(name, False, said)
    except (UserError, psycopg.Error) as error:
        for name in names:  # a process that cannot be seen is not to be started anew for that
            is_alive = live and name != "database"
            yield Finding(name, is_alive, f"not known: {error}" if is_alive else str(error))


def _of(name: str, connection: psycopg.Connection, is_single: bool, live: bool) -> Finding | None:
    """None where there is no such process here."""
    if name == "daemon":
        return database.daemon(connection)
    if name == "streams":
        return database.streams(connection, live)
    if name == "workers":
        return database.workers(connection) if is_single else Finding(name, True, "followed by the cluster")
    connection.execute("SELECT 1")
    return Finding(name, True, "answers")
