"""What every source declares, whatever kind it is."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

from lastmile.contracts.annotated import mistyped
from lastmile.errors import UserError
from lastmile.operations.schedule import Schedule
from lastmile.sources.declarations.alerts import SourceAlerts

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
NIGHTLY = Schedule("0 3 * * *")


class Misdeclared(UserError, ValueError):
    """A source that says what cannot be done. The message names the source, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something that the platform fetches records from, for one dataset. Raises Misdeclared."""

    name: str
    #: The contract that its records are validated against.
    dataset: str
    description: str
    owner: str
    schedule: Schedule | None = NIGHTLY
    #: Whether the schedule runs from the start, or is off until it is switched on in the web UI.
    starts_running: bool = True
    #: How long after the newest fetch that brought records the source counts as stale; None: never.
    stale_after: timedelta | None = timedelta(days=2)
    #: A fetch with so many times more or fewer records than the one before is reported; None: 2 where everything is
    #: fetched, 10 where only what is new.
    usual_factor: float | None = None
    alerts: SourceAlerts = field(default_factory=SourceAlerts)

    def __post_init__(self) -> None:
        if found := list(mistyped(self)):
            raise Misdeclared(f"source {self.name}: {'; '.join(found)}")
        if not _NAME.fullmatch(self.name):
            raise Misdeclared(f"source {self.name!r}: expected a name of lower-case letters, digits and _")
        if self.usual_factor is not None and self.usual_factor <= 1:
            raise Misdeclared(f"source {self.name}: usual_factor is {self.usual_factor}; expected more than 1")

    @property
    def kind(self) -> str:
        """In a word, for lists."""
        return type(self).__name__.lower()

    @property
    def is_incremental(self) -> bool:
        """Whether it fetches what is new since a cursor, or everything each time."""
        return False
