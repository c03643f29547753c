"""Who is notified: which route fits, and what is silenced."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from lastmile.contracts.alerts import SEVERITIES, Route, Severity
from lastmile.operations.alerts.alert import Alert

#: Where nothing fits: the alert is listed, and sent nowhere.
LISTED_ONLY = Route()


@dataclass(frozen=True)
class Silence:
    """Alerts that fit all four patterns are not announced until it is over."""

    id: int
    rule: str
    subject: str
    part: str
    owner: str
    until: datetime
    comment: str
    by: str

    def covers(self, alert: Alert, now: datetime) -> bool:
        pairs = ((alert.rule, self.rule), (alert.subject, self.subject), (alert.part, self.part))
        return now < self.until and all(fnmatchcase(*pair) for pair in (*pairs, (alert.owner, self.owner)))


def route_of(routes: Iterable[Route], owner: str, rule: str, severity: Severity) -> Route:
    """The first that fits."""
    fitting = (one for one in routes if fnmatchcase(owner, one.owner) and fnmatchcase(rule, one.rule))
    return next((one for one in fitting if rank(severity) >= rank(one.severity)), LISTED_ONLY)


def rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def most_severe(alerts: Sequence[Alert]) -> Severity:
    return max((one.severity for one in alerts), key=rank)


def is_silenced(silences: Iterable[Silence], alert: Alert, now: datetime) -> bool:
    return any(one.covers(alert, now) for one in silences)
