"""What passes between those who submit and what accepts it."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple
from uuid import UUID

from lastmile.telemetry import spans

Kind = Literal["records", "file", "form"]


class Owner(NamedTuple):
    """The record that another came with, such as the household of a member."""

    dataset: str
    record: str
    digest: bytes


@dataclass(frozen=True)
class Record:
    """One revision of a record. `body` is its row as JSON, as it was sent.

    Of two revisions the one with the higher `revision` counts, and of equals the one that came last; without one, a
    revision has the highest that came before it. `withdrawn` ends the record: its row vanishes. A record with an
    `owner` is one of a set: it is in force as long as that revision of the owner is, so a new revision of the owner
    replaces the set as a whole.
    """

    dataset: str
    partition: str
    record: str
    body: str
    revision: int | None = None
    withdrawn: bool = False
    owner: Owner | None = None
    #: Of the content in a form that does not depend on how it is written; None: of the body.
    canonical: bytes | None = field(default=None, repr=False)

    @cached_property
    def digest(self) -> bytes:
        """Equal where the same revision is sent again."""
        owner = self.owner.digest if self.owner else b""
        marks = f"{self.partition}\0{self.revision}\0{self.withdrawn}\0".encode()
        return hashlib.sha256(marks + owner + (self.canonical or self.body.encode())).digest()

    def as_owner(self) -> Owner:
        return Owner(self.dataset, self.record, self.digest)


@dataclass(frozen=True)
class Submission:
    """One request: all of its records are accepted, or none. Owners come before what they own.

    `traceparent` is its place in a trace, unless given that of the work that makes it.
    """

    job: UUID
    kind: Kind
    dataset: str
    partition: str
    principal: str
    fingerprint: bytes
    records: list[Record] = field(repr=False)
    idempotency_key: str | None = None
    bytes: int = 0
    traceparent: str | None = field(default_factory=spans.traceparent)


@dataclass(frozen=True)
class Accepted:
    """What became of a submission: `repeated` of its records were there before.

    `replayed`: its idempotency key was used before for the same request, whose job this is; `conflicting`: for another
    request, and nothing of this one is accepted.
    """

    job: UUID
    records: int
    repeated: int = 0
    replayed: bool = False
    conflicting: bool = False
