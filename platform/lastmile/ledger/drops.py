"""What passes between the ledger and who asks it: an object as found, a drop as claimed, what became of it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

State = Literal["discovered", "claimed", "loaded", "quarantined", "duplicate", "superseded", "missing", "failed"]


@dataclass(frozen=True)
class ListedDrop:
    """An object of the landing area as listed. `problem` says why no contract can take it, if none can.

    It is read `settle` after it was entered at the earliest. `partition_end` is the first day after its partition.
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
    #: What somebody asked to be taken again: these lines of those set aside, or all of it where empty; None: nothing.
    retake: list[int] | None = None
    #: Columns that somebody asked to have filled in from what was rescued; None: nothing.
    refill: list[str] | None = None
    #: Never settled before: nothing of it can be in the table, nor be set aside.
    is_new: bool = False

    @property
    def requested(self) -> Literal["released", "filled"] | None:
        """What somebody wants done with it as it lies there; None where it is to be taken whole."""
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


class ClaimLost(Exception):
    """Another worker has taken the drop; whatever this one did is rolled back."""


class RequestRefused(Exception):
    """What somebody asked for cannot be done to a loaded drop now. Nothing of it has changed; the message says why."""
