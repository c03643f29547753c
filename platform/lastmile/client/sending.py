"""Sending what waits: batches of records in their order, then files, through a network that fails.

After a failure it waits, each time about twice as long and never as long as others that wait (full jitter), but at
least as long as the API says.
"""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from lastmile.client.answers import RefusedForGood, Unreachable, fields, request
from lastmile.client.outbox import Batch, Outbox
from lastmile.client.uploading import upload

#: Refusals of all records of a batch alike; of others, the batch is divided until the record at fault is by itself.
_OF_ALL = (403, 404, 405, 415)
_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 60.0
_LOCK_SECONDS = 0.2

Sleep = Callable[[float], None]


class Backoff:
    """How long to wait after failures in a row. `until` is when to give up, by the monotonic clock; None: never."""

    def __init__(self, until: float | None, sleep: Sleep = time.sleep) -> None:
        self._until, self._sleep, self._failures = until, sleep, 0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, at_least: float) -> bool:
        """Wait; returns whether there is time for another try."""
        longest = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**self._failures)
        self._failures = min(self._failures + 1, 20)
        wait = at_least + random.uniform(0, longest)  # noqa: S311  # no secret
        if self._until is not None and time.monotonic() + wait >= self._until:
            return False
        self._sleep(wait)
        return True

    @property
    def is_over(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until


def send_all(http: httpx.Client, outbox: Outbox, backoff: Backoff) -> Unreachable | None:
    """Send until nothing waits, or there is no more time: then the last failure. Raises SignInRefused."""
    failure: Unreachable | None = None
    while not backoff.is_over:
        try:
            if not send_next(http, outbox):
                return None
        except Unreachable as error:
            failure = error
            if not backoff.failed(error.wait):
                break
        else:
            backoff.succeeded()
    return failure


def send_next(http: httpx.Client, outbox: Outbox) -> bool:
    """Send one batch or one file; returns whether there was any. Raises Unreachable or SignInRefused."""
    if batch := outbox.next_batch():
        send_batch(http, outbox, batch)
        return True
    if file := outbox.next_file():
        try:
            outbox.settle([file.item], upload(http, outbox, file))
        except RefusedForGood as refused:
            outbox.refuse([file.item], refused.problem)
        else:
            file.copy.unlink(missing_ok=True)
        return True
    return False


def send_batch(http: httpx.Client, outbox: Outbox, batch: Batch) -> None:
    try:
        answer = request(
            http,
            "POST",
            f"datasets/{quote(batch.dataset, safe='')}/records",
            202,
            params={"partition": batch.partition} if batch.partition else {},
            content="\n".join(batch.lines).encode(),
            headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": batch.key},
        )
        job = str(fields(answer)["job"])
    except KeyError:
        raise Unreachable("expected the job of what was sent, found none; another server answers there") from None
    except RefusedForGood as refused:
        if len(batch.items) > 1 and refused.problem.status not in _OF_ALL:
            outbox.split(batch)
        else:
            outbox.refuse(batch.items, refused.problem)
    else:
        outbox.settle(batch.items, job)


@contextmanager
def only_sender(file: Path, until: float | None, sleep: Sleep = time.sleep) -> Iterator[bool]:
    """Whether no other process or thread sends from this queue, until the time is over.

    The lock is that of a file of SQLite's, which ends with the process on every system.
    """
    connection = sqlite3.connect(file.with_name(f"{file.name}-sending"), timeout=0, isolation_level=None)
    try:
        while not (ours := _locked(connection)) and (until is None or time.monotonic() < until):
            sleep(_LOCK_SECONDS)
        yield ours
    finally:
        connection.close()


def _locked(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
