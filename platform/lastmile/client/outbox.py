"""The queue on disk: a SQLite file whose every change is on the disk when the call returns.

An item waits until the API has accepted or refused it. Items are sent in batches; which items a batch has and its
idempotency key are written down before it is sent first, so that it is the same batch whenever it is sent again.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

from lastmile.client.answers import Problem

Kind = Literal["record", "file"]
State = Literal["waiting", "sent", "refused"]

#: Of one request.
MOST_RECORDS, MOST_BYTES = 500, 1_000_000

_TABLES = """
CREATE TABLE IF NOT EXISTS items (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    kind      TEXT    NOT NULL,
    dataset   TEXT    NOT NULL,
    partition TEXT,
    record    TEXT    NOT NULL,
    revision  INTEGER NOT NULL,
    body      TEXT,
    size      INTEGER NOT NULL,
    state     TEXT    NOT NULL DEFAULT 'waiting',
    batch     TEXT,
    upload    TEXT,
    job       TEXT,
    status    INTEGER,
    problem   TEXT
);
CREATE INDEX IF NOT EXISTS waiting ON items (kind, id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS refused ON items (id) WHERE state = 'refused';
CREATE INDEX IF NOT EXISTS revisions ON items (dataset, record, revision);
"""
_RECEIPT = "id, kind, dataset, partition, record, revision"


@dataclass(frozen=True)
class Receipt:
    """A submission by its number in the queue. `record_id` is what it describes, of which it is one `revision`."""

    id: int
    kind: Kind
    dataset: str
    partition: str | None
    record_id: str
    revision: int


@dataclass(frozen=True)
class Refused:
    """A submission that the API does not accept, and why."""

    receipt: Receipt
    problem: Problem


@dataclass(frozen=True)
class Batch:
    """Records that are sent in one request, again and again under the same key, until there is an answer."""

    key: str
    dataset: str
    partition: str | None
    items: tuple[int, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file that waits: its copy, and the address of its upload where that has begun."""

    item: int
    dataset: str
    partition: str | None
    name: str
    copy: Path
    upload: str | None


class Outbox:
    """The queue in one file; `<file>-files/` has the files that wait. Threads and processes may share it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.folder = file.with_name(f"{file.name}-files")
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(file, timeout=60, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add_record(self, dataset: str, record: Mapping[str, Any], partition: str | None, record_id: str) -> Receipt:
        """Raises TypeError or ValueError for what JSON cannot say."""
        with self._transaction():
            revision = self._next_revision(dataset, record_id)
            body = json.dumps(
                {**record, "_id": record_id, "_revision": revision},
                ensure_ascii=False,
                allow_nan=False,
                separators=(",", ":"),
                default=_text,
            )
            return self._add("record", dataset, partition, record_id, revision, body, len(body.encode()))

    def add_file(self, dataset: str, name: str, partition: str | None, copy: str, size: int) -> Receipt:
        """`copy` is the name of its copy in the folder."""
        with self._transaction():
            return self._add("file", dataset, partition, name, 0, copy, size)

    def next_batch(self) -> Batch | None:
        """The oldest records that wait, of one dataset and partition; those of a batch begun before come first.

        Left out are revisions of a record whose earlier one waits for another batch.
        """
        with self._transaction():
            key = self._one("SELECT batch FROM items WHERE state = 'waiting' AND kind = 'record' ORDER BY id LIMIT 1")
            if key is None:
                return None
            return self._batch(key[0] or self._form_batch())

    def split(self, batch: Batch) -> None:
        """Make two batches of one, each with a key of its own."""
        half = len(batch.items) // 2
        with self._transaction():
            for items in (batch.items[:half], batch.items[half:]):
                self._assign(items, str(uuid4()))

    def next_file(self) -> File | None:
        found = self._one(
            "SELECT id, dataset, partition, record, body, upload FROM items"
            " WHERE state = 'waiting' AND kind = 'file' ORDER BY id LIMIT 1"
        )
        if found is None:
            return None
        item, dataset, partition, name, copy, upload = found
        return File(item, dataset, partition, name, self.folder / copy, upload)

    def note_upload(self, item: int, upload: str | None) -> None:
        """Where the upload of a file goes on; None: it has to begin again."""
        with self._transaction():
            self._connection.execute("UPDATE items SET upload = ? WHERE id = ?", [upload, item])

    def settle(self, items: Sequence[int], job: str) -> None:
        """The API has them; their content is forgotten here."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE items SET state = 'sent', job = ?, body = NULL WHERE id = ?", [(job, item) for item in items]
            )

    def refuse(self, items: Sequence[int], problem: Problem) -> None:
        """They are not sent again; their content stays, for who corrects it."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE items SET state = 'refused', batch = NULL, upload = NULL, status = ?, problem = ? WHERE id = ?",
                [(problem.status, problem.detail, item) for item in items],
            )

    def requeue(self) -> int:
        """Let all that was refused wait again; returns how many."""
        with self._transaction():
            return self._connection.execute("UPDATE items SET state = 'waiting' WHERE state = 'refused'").rowcount

    def count(self, state: State) -> int:
        found = self._one("SELECT count(*) FROM items WHERE state = ?", [state])
        return int(found[0]) if found else 0

    def waiting(self, most: int) -> list[Receipt]:
        """The oldest first."""
        sql = f"SELECT {_RECEIPT} FROM items WHERE state = 'waiting' ORDER BY id LIMIT ?"
        return [Receipt(*row) for row in self._all(sql, [most])]

    def refused(self, most: int) -> list[Refused]:
        sql = f"SELECT {_RECEIPT}, status, problem FROM items WHERE state = 'refused' ORDER BY id LIMIT ?"
        return [Refused(Receipt(*row[:6]), Problem(*row[6:])) for row in self._all(sql, [most])]

    def standing(self, item: int) -> tuple[State, str | None, str | None]:
        """State, job and problem of an item. Raises LookupError where there is none."""
        found = self._one("SELECT state, job, problem FROM items WHERE id = ?", [item])
        if found is None:
            raise LookupError(f"submission {item} is not in this queue")
        state, job, problem = found
        return state, job, problem

    def _next_revision(self, dataset: str, record: str) -> int:
        """Above the last one of this queue; by the clock, so that it is above those of a lost queue as well."""
        found = self._one("SELECT max(revision) FROM items WHERE dataset = ? AND record = ?", [dataset, record])
        last = found[0] if found else None
        return max(int(time.time() * 1000), (last or 0) + 1)

    def _add(
        self, kind: Kind, dataset: str, partition: str | None, record: str, revision: int, body: str, size: int
    ) -> Receipt:
        cursor = self._connection.execute(
            "INSERT INTO items (kind, dataset, partition, record, revision, body, size) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [kind, dataset, partition, record, revision, body, size],
        )
        return Receipt(int(cursor.lastrowid or 0), kind, dataset, partition, record, revision)

    def _form_batch(self) -> str:
        """Write down which records the next batch has; returns its key."""
        key, size = str(uuid4()), 0
        items: list[int] = []
        for item, bytes_ in self._connection.execute(_NEXT, [MOST_RECORDS]):
            size += bytes_ + 1
            if items and size > MOST_BYTES:
                break
            items.append(item)
        self._assign(items, key)
        return key

    def _assign(self, items: Sequence[int], key: str) -> None:
        self._connection.executemany("UPDATE items SET batch = ? WHERE id = ?", [(key, item) for item in items])

    def _batch(self, key: str) -> Batch:
        rows = self._all("SELECT id, dataset, partition, body FROM items WHERE batch = ? ORDER BY id", [key])
        (_, dataset, partition, _), *_ = rows
        return Batch(key, dataset, partition, tuple(row[0] for row in rows), tuple(row[3] for row in rows))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        with self._lock:
            found: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return found

    def _all(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()


_NEXT = """
WITH first AS (
    SELECT dataset, partition FROM items WHERE state = 'waiting' AND kind = 'record' ORDER BY id LIMIT 1
)
SELECT i.id, i.size FROM items i, first
WHERE i.state = 'waiting' AND i.kind = 'record' AND i.batch IS NULL
    AND i.dataset = first.dataset AND i.partition IS first.partition
    AND NOT EXISTS (
        SELECT 1 FROM items earlier
        WHERE earlier.dataset = i.dataset AND earlier.record = i.record AND earlier.revision < i.revision
            AND earlier.kind = 'record' AND earlier.state = 'waiting'
            AND (earlier.partition IS NOT i.partition OR earlier.batch IS NOT NULL)
    )
ORDER BY i.id LIMIT ?
"""


def _text(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"expected what JSON can say, found {type(value).__name__} {value!r:.100}")
