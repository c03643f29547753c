"""The connection over which a Postgres sends its log, decoded; and hears up to where it was committed here.

https://www.postgresql.org/docs/current/protocol-replication.html
"""

import select
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus

from lastmile.sources.changes import lsn
from lastmile.sources.databases.addresses import unreachable
from lastmile.warehouse.connections import CLIENT

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

_DATA, _ALIVE = struct.Struct(">cQQq"), struct.Struct(">cQqB")
_STATUS = struct.Struct(">cQQQqB")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
#: A status is sent at least so often; Postgres ends what is silent for `wal_sender_timeout`, which is a minute.
STATUS_SECONDS = 10
#: Texts of values are the same whatever the server's settings are.
SETTINGS = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1"


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """A connection that understands the commands of replication. Raises Unreachable."""
    try:
        connection = psycopg.connect(
            make_conninfo(url, **CLIENT, replication="database", options=SETTINGS), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise unreachable(url, error) from None
    with closing(connection):
        yield connection


def command(connection: psycopg.Connection, words: str) -> list[str | None]:
    """The first row of the answer to a command of replication."""
    result = connection.pgconn.exec_(words.encode())
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise psycopg.OperationalError(result.error_message.decode(errors="replace").strip())
    values = [result.get_value(0, column) for column in range(result.nfields)] if result.ntuples else []
    return [None if value is None else value.decode() for value in values]


def system(connection: psycopg.Connection) -> str:
    """The number of the cluster."""
    return str(command(connection, "IDENTIFY_SYSTEM")[0])


class Log:
    """The log from a position on. `reached` is up to where it was decoded, whether or not it had changes for us.

    Raises OperationalError where it cannot be had, or no longer.
    """

    def __init__(self, connection: psycopg.Connection, slot: str, publication: str, start: int) -> None:
        self._pg: PGconn = connection.pgconn
        self.reached = self._confirmed = start
        self._said_at = time.monotonic()
        name = publication.replace("'", "''").replace('"', '""')
        options = f"proto_version '1', publication_names '\"{name}\"'"
        result = self._pg.exec_(f'START_REPLICATION SLOT "{slot}" LOGICAL {lsn.text(start)} ({options})'.encode())
        if result.status != ExecStatus.COPY_BOTH:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace").strip())

    def read(self, seconds: float) -> Iterator[bytes]:
        """The messages that are there, or the first that come within the time."""
        deadline = time.monotonic() + seconds
        while True:
            self._say_when_due()
            size, data = self._pg.get_copy_data(1)
            if size > 0:
                yield from self._message(bytes(data))
                deadline = 0
            elif size == 0:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._wait(min(left, 1))
            else:
                raise psycopg.OperationalError(self._last_words())

    def confirm(self, position: int) -> None:
        """Everything before it is committed here: Postgres may forget it."""
        self._confirmed = max(self._confirmed, position)
        self._say()

    def ask(self) -> None:
        """Request a message about up to where it is decoded."""
        self._say(reply=True)

    def _wait(self, seconds: float) -> None:
        ready, _, _ = select.select([self._pg.socket], [], [], seconds)
        if ready:
            self._pg.consume_input()

    def _message(self, data: bytes) -> Iterator[bytes]:
        if data[:1] == b"w":
            _, start, _, _ = _DATA.unpack_from(data)
            self.reached = max(self.reached, start)
            yield data[_DATA.size :]
        elif data[:1] == b"k":
            _, end, _, wants_reply = _ALIVE.unpack_from(data)
            self.reached = max(self.reached, end)
            if wants_reply:
                self._say()

    def _say_when_due(self) -> None:
        if time.monotonic() - self._said_at > STATUS_SECONDS:
            self._say()

    def _say(self, reply: bool = False) -> None:
        now = int((datetime.now(UTC) - _EPOCH).total_seconds() * 1_000_000)
        self._pg.put_copy_data(_STATUS.pack(b"r", self.reached, self._confirmed, self._confirmed, now, reply))
        self._pg.flush()
        self._said_at = time.monotonic()

    def _last_words(self) -> str:
        result = self._pg.get_result()
        words = result.error_message.decode(errors="replace").strip() if result else ""
        return words or "the database ended the replication"
