"""From rules and what was found to alerts: pure, so that any history can be played.

An alert is pending until its value has been bad for as long as its rule says, then fires, and recovers once the value
has been fine for as long. One that comes back soon after it recovered flaps: each time, it has to be fine for twice as
long, so that it does not fire and recover all the time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from lastmile.operations.alerts.alert import Alert, Key
from lastmile.operations.alerts.rule import Reading, Readings, Rule

#: What comes back within so long after it recovered, flaps.
MEMORY = timedelta(hours=1)
#: Where a rule does not say how long its value has to last, a flapping one has to be fine for so long.
_SETTLING = timedelta(minutes=1)
_MOST_DOUBLINGS = 6

Alerts = Mapping[Key, Alert]


def evaluate(rules: Iterable[Rule], readings: Readings, alerts: Alerts, now: datetime) -> dict[Key, Alert]:
    """The alerts as of now. Of a rule without readings nothing is known, so that its alerts stay as they are; those of
    a rule that is no longer declared are over."""
    declared = {(rule.name, rule.subject): rule for rule in rules}
    after: dict[Key, Alert] = {}
    for key, alert in alerts.items():
        if key[:2] not in declared:
            after[key] = _ended(alert, now) if alert.state == "firing" else alert
        elif key[:2] not in readings:
            after[key] = alert
        elif kept := _cleared(alert, declared[key[:2]], now):
            after[key] = kept
    for about, rule in declared.items():
        for reading in readings.get(about, ()):
            if rule.kind.is_broken_by(reading.value, rule.threshold):
                key = (*about, reading.part)
                after[key] = _broken(rule, reading, alerts.get(key), now)
    return {key: alert for key, alert in after.items() if not _is_forgotten(alert, declared, now)}


def _broken(rule: Rule, reading: Reading, before: Alert | None, now: datetime) -> Alert:
    if before is None:
        before = _pending(rule, reading, now)
    elif before.state == "recovered":
        before = replace(before, state="pending", since=now, flaps=before.flaps + 1, fired_at=None)
    found = replace(
        before,
        owner=rule.owner,
        severity=rule.severity,
        threshold=rule.threshold,
        value=reading.value,
        text=reading.text,
        clear_since=None,
    )
    if found.state == "pending" and now - found.since >= timedelta(seconds=rule.lasting):
        return replace(found, state="firing", fired_at=now, ended_at=None)
    return found


def _pending(rule: Rule, reading: Reading, now: datetime) -> Alert:
    values = (rule.owner, rule.severity, rule.threshold, reading.value, reading.text)
    return Alert(rule.name, rule.subject, reading.part, *values, state="pending", since=now)


def _cleared(alert: Alert, rule: Rule, now: datetime) -> Alert | None:
    """An alert whose value is fine; None where nothing came of it."""
    if alert.state == "recovered":
        return alert
    if alert.state == "pending":  # of one that recovered before, that is remembered
        return replace(alert, state="recovered", flaps=alert.flaps - 1) if alert.ended_at else None
    alert = replace(alert, clear_since=alert.clear_since or now)
    return _ended(alert, now) if now - (alert.clear_since or now) >= _settling(alert, rule) else alert


def _settling(alert: Alert, rule: Rule) -> timedelta:
    lasting = timedelta(seconds=rule.lasting)
    if not alert.flaps:
        return lasting
    return max(lasting, _SETTLING) * 2.0 ** min(alert.flaps, _MOST_DOUBLINGS)


def _ended(alert: Alert, now: datetime) -> Alert:
    return replace(alert, state="recovered", ended_at=now, clear_since=None, acknowledged_at=None, acknowledged_by=None)


def _is_forgotten(alert: Alert, declared: Mapping[tuple[str, str], Rule], now: datetime) -> bool:
    if alert.state == "pending":
        return alert.key[:2] not in declared
    return alert.state == "recovered" and not alert.is_announced and now - (alert.ended_at or now) >= MEMORY
