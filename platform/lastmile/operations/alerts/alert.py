"""An alert and how it goes on: pending, firing, recovered; and a message about some of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lastmile.contracts.alerts import Severity

Key = tuple[str, str, str]
State = Literal["pending", "firing", "recovered"]
What = Literal["firing", "repeated", "escalated", "recovered", "test"]


@dataclass(frozen=True)
class Alert:
    """One rule broken by one subject, or by a part of it. A recovered one is remembered for a while, since it may flap.

    `announced_at` is when a message about it was last made, `clear_since` since when its value is fine again.
    """

    rule: str
    subject: str
    part: str
    owner: str
    severity: Severity
    threshold: float
    value: float
    text: str
    state: State
    since: datetime
    fired_at: datetime | None = None
    clear_since: datetime | None = None
    ended_at: datetime | None = None
    announced_at: datetime | None = None
    escalated_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    #: How often it came back soon after it had recovered.
    flaps: int = 0
    #: Channels that know of it: they learn of its end.
    channels: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.rule, self.subject, self.part

    @property
    def is_announced(self) -> bool:
        return self.announced_at is not None

    @property
    def name(self) -> str:
        """Such as `bad_share crop 2019`."""
        return " ".join(filter(None, self.key))


@dataclass(frozen=True)
class Message:
    """One message to one owner about all alerts of one rule; `id` is the same whenever the same is decided again."""

    id: str
    made_at: datetime
    what: What
    rule: str
    owner: str
    severity: Severity
    channels: tuple[str, ...]
    title: str
    body: str
    #: Subjects and parts that it is about, the first of them.
    about: tuple[tuple[str, str], ...] = field(default=())
