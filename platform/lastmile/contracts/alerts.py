"""What is warned about, declared next to what it watches: thresholds and severities of a dataset, and who is notified.

    contract = Contract(
        ...,
        alerts=Alerts(
            freshness=Alert(timedelta(days=2), severity="critical"),
            bad_share=Alert(0.05),
            volume=None,  # not watched
        ),
    )

Nothing of it is part of the contract's version: a threshold changes no row.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, get_args

Severity = Literal["info", "warning", "critical"]
#: From the least to the most severe.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Alert:
    """From which value on there is an alert; None is what the rest of the declaration implies.

    It has to last for `lasting` before anybody is notified, and so long it has to be gone before that is reported.
    """

    threshold: float | timedelta | None = None
    severity: Severity = "warning"
    lasting: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity is {self.severity!r}; expected one of {', '.join(SEVERITIES)}")
        if self.lasting < timedelta():
            raise ValueError(f"lasting is {self.lasting}; expected no time or more")

    @property
    def value(self) -> float | None:
        """The threshold as a number, times in seconds."""
        return self.threshold.total_seconds() if isinstance(self.threshold, timedelta) else self.threshold


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """What is watched of a dataset; None is not."""

    #: Age of the newest drop; unless said, what `arrival.expected_every` expects.
    freshness: Alert | None = field(default_factory=Alert)
    #: How long after the end of its partition a drop appeared in the last day; unless said, as `freshness`.
    lateness: Alert | None = field(default_factory=Alert)
    #: Share of a partition's rows that are quarantined and undecided.
    bad_share: Alert | None = field(default_factory=lambda: Alert(0.1))
    #: Rows of the newest partition against the earlier ones, in robust standard deviations of their logarithms.
    volume: Alert | None = field(default_factory=lambda: Alert(5.0))
    #: Columns of the newest drop that the contract does not declare.
    schema_drift: Alert | None = field(default_factory=lambda: Alert(1, severity="info"))
    #: Drops of a partition that failed or are missing, and are not discarded.
    failed_drops: Alert | None = field(default_factory=lambda: Alert(1))


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where alerts go: of the routes declared, the first one counts that fits the alert's owner, rule and severity.

    `owner` and `rule` may be patterns such as `*@example.org`. Channels are names; their addresses are secrets and come
    from the environment. What is neither acknowledged nor over after `escalate_after` goes to `escalate_to` as well.
    """

    owner: str = "*"
    rule: str = "*"
    #: The least severe that it is for.
    severity: Severity = "info"
    channels: tuple[str, ...] = ()
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity is {self.severity!r}; expected one of {', '.join(SEVERITIES)}")
        if isinstance(self.channels, str) or isinstance(self.escalate_to, str):
            raise ValueError(  # noqa: TRY004  # as the other faults of a declaration
                'channels and escalate_to are tuples of names, such as ("survey-team",)'
            )
        if bool(self.escalate_after) != bool(self.escalate_to):
            raise ValueError("escalate_after and escalate_to are declared together, or neither")
