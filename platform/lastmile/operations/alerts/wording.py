"""What messages say: what is wrong, of what, since when, against which threshold, and where it says what to do."""

from collections.abc import Sequence
from datetime import datetime

from lastmile.contracts.alerts import Severity
from lastmile.operations.alerts.alert import Alert, What
from lastmile.operations.alerts.kinds import KINDS, written
from lastmile.operations.alerts.rule import PLATFORM

_MOST_LISTED = 10
_SAID = {
    "firing": "",
    "repeated": "still: ",
    "escalated": "not acknowledged: ",
    "recovered": "over: ",
    "test": "test: ",
}


def title(what: What, about: Sequence[Alert], severity: Severity) -> str:
    """Such as `[warning] bad_share: 1,000 partitions of crop` or `[warning] over: freshness: hhinfo`."""
    return f"[{severity}] {_SAID[what]}{about[0].rule}: {_counted(about)}"


def body(what: What, about: Sequence[Alert], now: datetime, runbook: str) -> str:
    kind = KINDS[about[0].rule]
    meant = f"over: {kind.means}" if what == "recovered" else kind.means
    more = len(about) - _MOST_LISTED
    return "\n".join(
        [
            f"{kind.name}: {meant}.",
            "",
            *(_line(one, what) for one in about[:_MOST_LISTED]),
            *([f"and {more:,} more: lastmile alerts list"] if more > 0 else []),
            "",
            f"owner {about[0].owner}, {now:%Y-%m-%d %H:%M} UTC",
            *([f"what to do: {entry(runbook, kind.name)}"] if what != "recovered" else []),
        ]
    )


def entry(runbook: str, rule: str) -> str:
    """Where the runbook says what to do."""
    return f"{runbook}#{rule}"


def against(alert: Alert) -> str:
    """Such as `34 % (threshold 10 %)`."""
    unit = KINDS[alert.rule].unit
    if unit == "answer":
        return written(alert.value, unit)
    return f"{written(alert.value, unit)} (threshold {written(alert.threshold, unit)})"


def _line(alert: Alert, what: What) -> str:
    since = f"since {alert.since:%Y-%m-%d %H:%M} UTC"
    if what == "recovered":
        return f"- {_named(alert)}: was {against(alert)}, {since}"
    return f"- {_named(alert)}: {against(alert)}, {since}{f'; {alert.text}' if alert.text else ''}"


def _named(alert: Alert) -> str:
    return " ".join(filter(None, (alert.subject, alert.part)))


def _counted(about: Sequence[Alert]) -> str:
    subjects, first = {one.subject for one in about}, about[0]
    if len(about) == 1:
        return first.part or first.subject if first.subject == PLATFORM else _named(first)
    if len(subjects) == 1:
        return f"{len(about):,} of {first.subject}"
    return f"{len(about):,} of {len(subjects):,} subjects, such as {_named(first)}"
