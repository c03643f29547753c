"""Files that arrive piece by piece over bad lines: each piece is an object of its own until all of them are there.

A piece is named by the place it begins at and never overwritten, so of two requests that write the same place one
fails, and what was answered stays. Any process can go on with what another began.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.ingestion.submissions import jobs
from lastmile.ingestion.submissions.submission import Submission
from lastmile.store import Missing, Store, StoredObject

#: Forgotten uploads are removed after so long.
DAYS = 7
_PIECES = "uploads"


@dataclass(frozen=True)
class Upload:
    """An upload. Its job has the same id, from when its file has landed."""

    id: UUID
    dataset: str
    partition: str
    key: str
    principal: str
    length: int
    metadata: str
    expires_at: datetime
    landed_at: datetime | None


#: Called in the transaction in which the file of an upload lands.
Landed = Callable[[Connection, Upload], None]

_COLUMNS = ", ".join(Upload.__dataclass_fields__)


def begin(connection: Connection, new: Upload) -> None:
    connection.execute(
        f"INSERT INTO submissions.uploads ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(vars(new)))})",
        list(vars(new).values()),
    )


def find(connection: Connection, upload: UUID, principal: str) -> Upload | None:
    """The upload; None where there is none of this principal, or it has expired."""
    with connection.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM submissions.uploads WHERE id = %s AND principal = %s AND expires_at > now()",
            [upload, principal],
        ).fetchone()


def offset(store: Store, upload: Upload) -> int:
    """How many bytes of it are there, from the first on."""
    if upload.landed_at:
        return upload.length
    return sum(piece.size for piece in _pieces(store, upload.id))


def add(store: Store, upload: UUID, begins: int, data: bytes) -> None:
    """Keep the bytes from the place `begins` on. Raises FileExistsError where others are there."""
    store.put(f"{_PIECES}/{upload}/{begins:020}", data, create_only=True)


def finish(connection: Connection, store: Store, upload: Upload, landed: Landed) -> None:
    """Land the file, of which all bytes are there; a no-op where it has landed."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 16))", [str(upload.id)])
        now = find(connection, upload.id, upload.principal)
        if now is None or now.landed_at:
            return
        with TemporaryDirectory(prefix="lastmile-") as folder:
            file = Path(folder) / "whole"
            with file.open("wb") as whole:
                for piece in _pieces(store, upload.id):
                    whole.write(store.read(piece.key))
            store.publish(upload.key, file)
        job = Submission(
            upload.id, "file", upload.dataset, upload.partition, upload.principal, upload.id.bytes, [],
            bytes=upload.length,
        )  # fmt: skip
        jobs.begin_file(connection, job, store.url, upload.key, None)
        jobs.land(connection, upload.id, store.head(upload.key).version)
        connection.execute("UPDATE submissions.uploads SET landed_at = now() WHERE id = %s", [upload.id])
        landed(connection, upload)
    _remove_pieces(store, upload.id)


def end(connection: Connection, store: Store, upload: UUID) -> None:
    """Forget an upload and its pieces; a file that has landed stays."""
    connection.execute("DELETE FROM submissions.uploads WHERE id = %s", [upload])
    _remove_pieces(store, upload)


def sweep(connection: Connection, store: Store, landed: Landed) -> None:
    """Finish what a killed process left complete, and remove what is forgotten."""
    with connection.cursor(row_factory=class_row(Upload)) as cursor:
        left = cursor.execute(
            f"SELECT {_COLUMNS} FROM submissions.uploads WHERE landed_at IS NULL OR expires_at <= now()"
        ).fetchall()
    for upload in left:
        if upload.expires_at <= datetime.now(UTC):
            end(connection, store, upload.id)
        elif offset(store, upload) == upload.length:
            finish(connection, store, upload, landed)


def _pieces(store: Store, upload: UUID) -> Iterator[StoredObject]:
    """Those that follow one another without a gap."""
    end = 0
    for piece in store.list(f"{_PIECES}/{upload}/"):
        if piece.key.rsplit("/", 1)[-1] == f"{end:020}":
            yield piece
            end += piece.size


def _remove_pieces(store: Store, upload: UUID) -> None:
    for piece in list(store.list(f"{_PIECES}/{upload}/")):
        with suppress(Missing):
            store.delete(piece.key)
