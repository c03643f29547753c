"""What passes between the ledger and its callers: an object as listed, a drop as claimed, its outcome."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from lastmile.store.landing import GATHERED

State = Literal["discovered", "claimed", "loaded", "quarantined", "duplicate", "superseded", "missing", "failed"]
_NOT_LOADED = ("quarantined", "missing", "failed")


@dataclass(frozen=True)
class ListedDrop:
    """An object of the landing area as listed. `problem` says why no contract fits it, if none does.

    It is read `settle` after it was entered at the earliest. `partition_end` is the first day after its partition.
    `traceparent` is its place in a trace.
    """

    dataset: str
    partition: str
    key: str
    version: str
    size: int
    modified_at: datetime
    problem: str | None = None
    partition_end: date | None = None
    settle: timedelta = timedelta(0)
    traceparent: str | None = None


@dataclass(frozen=True)
class Drop:
    """A drop as claimed by this worker: `claim` is the token its outcome must be written with."""

    id: int
    dataset: str
    partition: str
    key: str
    version: str
    size: int
    modified_at: datetime
    attempts: int
    claim: UUID
    state: State
    cleaned_key: str | None
    #: Requested to be ingested again: these quarantined lines, or all of it where empty; None: nothing.
    retake: list[int] | None = None
    #: Columns requested to be filled from rescued values; None: nothing.
    refill: list[str] | None = None
    #: Never settled before: nothing of it can be in the table or quarantined.
    is_new: bool = False
    #: Its place in a trace.
    traceparent: str | None = None

    @property
    def is_gathered(self) -> bool:
        """Whether it is made of single records, of many senders: no bad share of it says anything of the others."""
        return self.key.split("/", 3)[-1].startswith(GATHERED)

    @property
    def ids(self) -> dict[str, Any]:
        """What log lines about it carry."""
        return {"drop": self.id, "dataset": self.dataset}

    @property
    def sent(self) -> dict[str, Any]:
        """What a span of its work begins with."""
        about = {"partition": self.partition, "key": self.key, "bytes": self.size, "attempt": self.attempts}
        return self.ids | about

    @property
    def requested(self) -> Literal["released", "filled"] | None:
        """The request to carry out on its loaded rows; None where it is to be ingested whole."""
        if self.retake is not None:
            return "released" if self.retake else None
        return "filled" if self.refill is not None else None

    @property
    def is_reingested(self) -> bool:
        """True where the drop was settled before: its rows stay visible until the new ones replace them."""
        return self.state != "claimed"


@dataclass(frozen=True)
class Outcome:
    """What became of a drop. `read = loaded + quarantined + duplicate`; the database refuses anything else."""

    state: State
    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicate: int = 0
    format: dict[str, Any] | None = None
    schema_change: dict[str, Any] | None = None
    contract_version: str | None = None
    cleaned_key: str | None = None
    message: str | None = None

    @property
    def counts(self) -> dict[str, Any]:
        """What the span of the drop ends with."""
        counts = {"loaded": self.loaded, "quarantined": self.quarantined, "duplicate": self.duplicate}
        found: dict[str, Any] = {"state": self.state, "rows": self.read, **counts}
        return found if self.state not in _NOT_LOADED else {**found, "problem": self.message}


class ClaimLost(Exception):
    """Another worker holds the drop now; whatever this one did is rolled back."""


class RequestRefused(Exception):
    """A request cannot be carried out on a loaded drop now. Nothing of it has changed; the message says why."""
