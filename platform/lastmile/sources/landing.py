"""Putting what a source fetched into the landing area, so that it is known whose it is whatever is killed.

What the object will be is written before it is put, under its key and SHA-256; by these the ledger says later whether
its rows are loaded. Killed in between, the next run of the source finds out whether it is there.
"""

import hashlib
import re
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection

from lastmile.sources import fetches
from lastmile.sources.fetches import Intent
from lastmile.store import Missing, Store
from lastmile.store.landing import LANDING
from lastmile.telemetry.spans import span

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SHOWN = 60


def key_of_all(source: str, dataset: str, partition: str, suffix: str) -> str:
    """Of a fetch of everything: one for each partition, so that fetching again replaces what was fetched."""
    return f"{LANDING}{dataset}/{partition}/{source}.{suffix}"


def key_from(
    connection: Connection, store: str, source: str, dataset: str, partition: str, suffix: str, cursor: str | None
) -> str:
    """Of an incremental fetch: by where it begins, and none that the source had before."""
    name = f"{LANDING}{dataset}/{partition}/{source}-from-{_name(cursor)}"
    used = fetches.used_keys(connection, store, source, name)
    numbered = (f"{name}{'' if number == 1 else f'-{number}'}.{suffix}" for number in count(1))
    return next(key for key in numbered if key not in used)


def _name(cursor: str | None) -> str:
    """The cursor as part of a key: readable, and never that of another cursor."""
    if cursor is None:
        return "start"
    return f"{_UNSAFE.sub('-', cursor)[:_SHOWN]}-{hashlib.sha256(cursor.encode()).hexdigest()[:8]}"


def land(connection: Connection, store: Store, intent: Intent, file: Path) -> int:
    """Put the file as the object that was intended; the number of the fetch. `connection` must be in autocommit."""
    with span("sources.land", source=intent.source, dataset=intent.dataset, bytes=intent.size):
        fetch = fetches.intend(connection, store.url, intent)
        store.put(intent.key, file)
        fetches.landed(connection, fetch)
    return fetch


def resolve(connection: Connection, store: Store, source: str) -> list[str]:
    """What became of objects that killed runs were about to put, a sentence each. One caller a source at a time."""
    said = []
    for one in fetches.unresolved(connection, store.url, source):
        if _is_there(store, one.key, one.sha256):
            fetches.landed(connection, one.id)
            said.append(f"a run was killed after it had put {one.key}, which is there")
        else:
            fetches.forget(connection, one.id)
            said.append(f"a run was killed before it had put {one.key}; it is fetched again")
    return said


def _is_there(store: Store, key: str, sha256: str) -> bool:
    with TemporaryDirectory(prefix="lastmile-") as folder:
        try:
            return store.fetch(store.head(key), Path(folder) / "object") == sha256
        except Missing:
            return False
