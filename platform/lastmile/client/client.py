"""The client: submit at once, send when there is a network."""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from lastmile.client.answers import fields, request
from lastmile.client.outbox import MOST_RECORDS, Outbox, Receipt, Refused
from lastmile.client.sending import Backoff, only_sender, send_all

_VERSION = "/api/v1"
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)


@dataclass(frozen=True)
class Sent:
    """What became of a queue: how many were accepted and refused by the API, how many wait, and why, if any do."""

    accepted: int
    refused: int
    waiting: int
    why: str | None = None


@dataclass(frozen=True)
class Status:
    """`waiting` and `refused` are states here, all others those at the API: of the record, or of the file.

    `detail` says why it was refused or quarantined.
    """

    state: str
    detail: str | None = None


class Client:
    """Submits to the API at `url` by a queue on disk; see the package. Its methods may be called by any thread."""

    def __init__(self, url: str, key: str, queue: Path, timeout: httpx.Timeout = _TIMEOUT) -> None:
        self._queue = Path(queue)
        self._outbox = Outbox(self._queue)
        base = url.rstrip("/").removesuffix(_VERSION) + _VERSION + "/"
        self._http = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=timeout)

    def submit(
        self, dataset: str, record: Mapping[str, Any], partition: str | None = None, record_id: str | None = None
    ) -> Receipt:
        """Queue one record; it is on the disk when this returns.

        Without `record_id` it is the record's own `_id`, or a new UUID. Give the partition where the record may wait
        over the end of one: unless given, it is that of the day on which the API gets it. Raises TypeError or
        ValueError for a record that JSON cannot say.
        """
        return self._outbox.add_record(dataset, record, partition, record_id or str(record.get("_id") or uuid4()))

    def edit(self, dataset: str, record_id: str, record: Mapping[str, Any], partition: str | None = None) -> Receipt:
        """Queue the next revision of a record; it replaces the one before, with all its columns."""
        return self._outbox.add_record(dataset, record, partition, record_id)

    def upload(self, dataset: str, path: Path, partition: str | None = None) -> Receipt:
        """Queue a file: a copy of it, so that it may be changed or deleted from then on."""
        copy = str(uuid4())
        self._outbox.folder.mkdir(exist_ok=True)
        size = _copy(Path(path), self._outbox.folder / copy)
        return self._outbox.add_file(dataset, Path(path).name, partition, copy, size)

    def send(self, max_seconds: float | None = None) -> Sent:
        """Send what waits, until nothing does or the time is over. Returns at once where nothing waits.

        Raises SignInRefused where the key is not valid; what waits stays.
        """
        until = None if max_seconds is None else time.monotonic() + max_seconds
        accepted, refused = self._outbox.count("sent"), self._outbox.count("refused")
        failure = None
        if self._outbox.count("waiting"):
            with only_sender(self._queue, until) as ours:
                if ours:
                    failure = send_all(self._http, self._outbox, Backoff(until))
        waiting = self._outbox.count("waiting")
        return Sent(
            self._outbox.count("sent") - accepted,
            self._outbox.count("refused") - refused,
            waiting,
            str(failure) if failure and waiting else None,
        )

    def pending(self, most: int = 1_000) -> list[Receipt]:
        """What waits, the oldest first."""
        return self._outbox.waiting(most)

    def refused(self, most: int = 1_000) -> list[Refused]:
        """What the API does not accept, and why. Submit it corrected, or `requeue` when the reason is gone."""
        return self._outbox.refused(most)

    def requeue(self) -> int:
        """Let all that was refused wait again; returns how many."""
        return self._outbox.requeue()

    def status(self, receipt: Receipt) -> Status:
        """How a submission stands, at the API where it has been sent. Raises Unreachable where that does not answer."""
        state, job, problem = self._outbox.standing(receipt.id)
        if job is None:
            return Status(state, problem)
        found = fields(request(self._http, "GET", f"jobs/{job}", 200, params={"limit": MOST_RECORDS}))
        return _status(found, receipt)

    def close(self) -> None:
        self._http.close()
        self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _status(job: Mapping[str, Any], receipt: Receipt) -> Status:
    """That of the record in its job; a file has its job for itself."""
    own = [one for one in job.get("found") or () if one.get("record") == receipt.record_id]
    found = next((one for one in own if one.get("revision") == receipt.revision), job)
    violations = "; ".join(one["message"] for one in found.get("violations") or ())
    return Status(str(found.get("state")), violations or found.get("message"))


def _copy(source: Path, target: Path) -> int:
    """Copy a file, on the disk when this returns; returns its size."""
    with source.open("rb") as given, target.open("wb") as copy:
        shutil.copyfileobj(given, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())
        return copy.tell()
