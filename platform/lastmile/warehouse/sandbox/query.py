"""One statement in a session of its own: read-only, cancelled and closed at its limit, rolled back at its end.

It is sent as the query of a cursor, in the extended protocol: Postgres itself accepts one statement there, and none
that changes anything. `statement_timeout` is not enough, since each fetch begins a new one and a query may change
settings: so a timer of ours ends the session.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lastmile.warehouse.connections import CLIENT
from lastmile.warehouse.sandbox.fence import Refused
from lastmile.warehouse.sandbox.roles import SCHEMAS, Role

#: Fetched at first, and then as many as should fit into this.
_FETCHED_BYTES = 2 * 2**20
#: A row above this is refused by Postgres' side: it would be in memory as a whole.
_LARGEST_ROW = 16 * 2**20
#: What psycopg puts before it.
_DECLARED = 'DECLARE "query" CURSOR FOR '
_BEFORE = "SELECT * FROM (\n"
_AFTER = (
    "\n) AS query WHERE (CASE WHEN pg_column_size(query) <= {} THEN 'true'"
    f" ELSE 'a row has more than {_LARGEST_ROW:,} bytes' END)::boolean"
)


@dataclass(frozen=True)
class Limits:
    rows: int = 100_000
    bytes: int = 64 * 2**20
    seconds: float = 20.0


@dataclass(frozen=True)
class Answer:
    """Rows as JSON arrays; `is_truncated`: there were more than a limit let through."""

    columns: list[tuple[str, str]]
    rows: list[bytes]
    is_truncated: bool


class TooLong(Refused):
    """It was ended at its limit."""


def run(url: str, role: Role, statement: str, parameters: Sequence[Any], limits: Limits) -> Answer:
    """Raises Refused with Postgres' own words, TooLong at the limit, psycopg.OperationalError where a log-in fails."""
    with psycopg.connect(make_conninfo(role.url(url), **CLIENT, options=_options(limits))) as connection:
        over = threading.Event()
        timer = threading.Timer(limits.seconds, _end, [connection, over])
        timer.daemon = True
        timer.start()
        try:
            return _answer(connection, statement.strip().removesuffix(";"), parameters, limits)
        except psycopg.Error as error:
            if over.is_set():
                raise TooLong(
                    f"sql: ended after {limits.seconds:g} s; read less, or filter and aggregate first"
                ) from None
            raise _refused(error) from None
        finally:
            timer.cancel()
            with suppress(psycopg.Error):
                connection.rollback()


def _options(limits: Limits) -> str:
    path = ",".join(SCHEMAS)
    return (
        f"-c default_transaction_read_only=on -c statement_timeout={int(limits.seconds * 1000)} -c search_path={path}"
        f" -c idle_in_transaction_session_timeout={int(limits.seconds * 2000)} -c lock_timeout=3s -c TimeZone=UTC"
        " -c max_parallel_workers_per_gather=0 -c work_mem=32MB"
    )


def _end(connection: psycopg.Connection, over: threading.Event) -> None:
    """Cancelled: the thread that waits for it goes on, and closes the session."""
    over.set()
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=5)


def _answer(connection: psycopg.Connection, statement: str, parameters: Sequence[Any], limits: Limits) -> Answer:
    query = sql.SQL("{}{}{}").format(
        sql.SQL(_BEFORE), sql.SQL(statement), sql.SQL(_AFTER).format(sql.Literal(_LARGEST_ROW))
    )
    with psycopg.RawServerCursor(connection, "query") as cursor:
        cursor.execute(query.as_string(connection).encode(), parameters or None)
        known = connection.adapters.types
        columns = []
        for one in cursor.description or ():
            kind = known.get(one.type_code)
            columns.append((one.name, kind.name if kind else "text"))
        rows: list[bytes] = []
        size, fetched = 0, 16
        while size <= limits.bytes and len(rows) <= limits.rows and (found := cursor.fetchmany(fetched)):
            for row in found:
                rows.append(orjson.dumps(row, default=_plain))
                size += len(rows[-1])
            fetched = max(1, min(2_000, _FETCHED_BYTES * len(rows) // max(size, 1)))
    is_truncated = len(rows) > limits.rows or size > limits.bytes
    while rows and (len(rows) > limits.rows or size > limits.bytes):
        size -= len(rows.pop())
    return Answer(columns, rows, is_truncated)


def _plain(value: Any) -> Any:
    """What JSON has no form for, as text; numbers of many digits as numbers."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        return float(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _refused(error: psycopg.Error) -> Exception:
    diag = error.diag
    if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.QueryCanceled):
        return error
    words = diag.message_primary or str(error).strip() or type(error).__name__
    if diag.message_hint:
        words += f" ({diag.message_hint})"
    at = int(diag.statement_position or 0) - len(_DECLARED) - len(_BEFORE)
    return Refused(f"sql: {words}{f', at character {at}' if at > 0 else ''}")
