"""Every statement on documents. Each is one row, found by collection and id; what changes it says which revision it
expects, so that of two who change the same one the second is refused instead of winning silently."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from lastmile.documents.conditions import Condition
from lastmile.documents.patch import canonical, checked
from lastmile.errors import UserError

#: Longer than any device is away.
REMEMBERED = timedelta(days=90)


class Exists(UserError):
    """There is a document of this id already."""


class Changed(UserError):
    """The document is not the one that was expected."""


class Repeated(UserError):
    """An idempotency key came with another document before."""


@dataclass(frozen=True)
class Document:
    collection: str
    id: str
    body: dict[str, Any]
    revision: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    @property
    def etag(self) -> str:
        """Of no other state of it, nor of one of the same id that was deleted before."""
        return f'"{self.revision}-{int(self.created_at.timestamp() * 1e6):x}"'


_COLUMNS = "collection, id, body, revision, created_at, created_by, updated_at, updated_by"


def collections(connection: Connection) -> list[tuple[str, int]]:
    """Names and numbers of documents."""
    return connection.execute("SELECT collection, count(*) FROM documents.documents GROUP BY 1 ORDER BY 1").fetchall()


def find(connection: Connection, collection: str, document_id: str, *, lock: bool = False) -> Document | None:
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM documents.documents WHERE (collection, id) = (%s, %s)"
            f"{' FOR UPDATE' if lock else ''}",
            [collection, document_id],
        ).fetchone()


def page(
    connection: Connection, collection: str, where: Sequence[Condition], limit: int, after: str | None = None
) -> tuple[list[Document], str | None]:
    """Documents by id from behind `after` on, and the id to go on behind; None on the last page."""
    clauses = [sql.SQL("collection = {}").format(sql.Literal(collection)), *(one.clause for one in where)]
    if after is not None:
        clauses.append(sql.SQL("id > {}").format(sql.Literal(after)))
    query = sql.SQL(f"SELECT {_COLUMNS} FROM documents.documents WHERE {{}} ORDER BY id LIMIT {{}}").format(
        sql.SQL(" AND ").join(clauses), sql.Literal(limit + 1)
    )
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        found = cursor.execute(query).fetchall()
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def create(
    connection: Connection,
    collection: str,
    document_id: str | None,
    body: Mapping[str, Any],
    actor: str,
    key: str | None = None,
) -> tuple[Document, bool]:
    """The document, and whether it was made now: not where the same actor sent the same with the same key before.

    Raises Exists where the id is used, Repeated where the key was used for something else.
    """
    checked(body)
    wanted = document_id if document_id is not None else str(uuid.uuid4())
    with connection.transaction():
        if key is not None:
            digest = hashlib.sha256(canonical([collection, document_id, body])).digest()
            if (before := _repeated(connection, actor, key, digest, collection, wanted)) is not None:
                return before, False
        with connection.cursor(row_factory=class_row(Document)) as cursor:
            made = cursor.execute(
                "INSERT INTO documents.documents (collection, id, body, created_by, updated_by) VALUES"
                f" (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}",
                [collection, wanted, Jsonb(body), actor, actor],
            ).fetchone()
        if made is None:
            raise Exists(f"{collection} has a document {wanted!r} already; PUT replaces it, PATCH changes it")
    return made, True


def _repeated(
    connection: Connection, actor: str, key: str, digest: bytes, collection: str, document_id: str
) -> Document | None:
    """What the key made before; else the key is kept for this one. A second request waits for the first."""
    connection.execute("DELETE FROM documents.requests WHERE at < now() - %s", [REMEMBERED])
    kept = connection.execute(
        "INSERT INTO documents.requests (actor, key, digest, collection, id) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [actor, key, digest, collection, document_id],
    )
    if kept.rowcount:
        return None
    row = connection.execute(
        "SELECT digest, collection, id FROM documents.requests WHERE (actor, key) = (%s, %s)", [actor, key]
    ).fetchone()
    if row is None or bytes(row[0]) != digest:
        raise Repeated("this Idempotency-Key came with another document before; a new document needs a new key")
    found = find(connection, row[1], row[2])
    if found is None:
        raise Repeated("the document that this Idempotency-Key made was deleted since; make it anew with a new key")
    return found


def put(
    connection: Connection,
    collection: str,
    document_id: str,
    body: Mapping[str, Any],
    actor: str,
    before: Document | None,
) -> Document:
    """In place of `before`, as it was found in this transaction with a lock; None: there was none."""
    checked(body)
    if before is None:
        return create(connection, collection, document_id, body, actor)[0]
    if before.body == body:
        return before
    with connection.cursor(row_factory=class_row(Document)) as cursor:
        found = cursor.execute(
            "UPDATE documents.documents SET body = %s, revision = revision + 1, updated_at = now(), updated_by = %s"
            f" WHERE (collection, id, revision) = (%s, %s, %s) RETURNING {_COLUMNS}",
            [Jsonb(body), actor, collection, document_id, before.revision],
        ).fetchone()
    if found is None:
        raise Changed(f"{collection}/{document_id} was changed meanwhile; read it again")
    return found


def delete(connection: Connection, collection: str, document_id: str) -> bool:
    """Whether there was one."""
    return (
        connection.execute(
            "DELETE FROM documents.documents WHERE (collection, id) = (%s, %s)", [collection, document_id]
        ).rowcount
        == 1
    )
