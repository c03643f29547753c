"""From alerts to messages: pure, as is the evaluation.

What has one owner and breaks one rule is one message, however many partitions or datasets it is about. Each alert is
announced once when it fires and once when it is over; what goes on is repeated after hours, and escalated where a route
says so and it is not acknowledged. A silence keeps back all but the end of what was announced before.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lastmile.contracts.alerts import Route
from lastmile.operations.alerts.alert import Alert, Key, Message, What
from lastmile.operations.alerts.routing import Silence, is_silenced, most_severe, route_of
from lastmile.operations.alerts.wording import body, title

#: Alerts of a message that say what it is about.
_MOST_ABOUT = 50


@dataclass(frozen=True)
class Timing:
    """`group` is how long the first of a group waits for others, `regroup` how long later ones do."""

    group: timedelta = timedelta(seconds=30)
    regroup: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=12)


@dataclass(frozen=True)
class Announcing:
    """What decides about messages besides the alerts."""

    routes: Sequence[Route]
    silences: Sequence[Silence]
    timing: Timing
    now: datetime
    runbook: str = ""

    def announce(self, alerts: Mapping[Key, Alert]) -> tuple[dict[Key, Alert], list[Message]]:
        """The alerts, with what is known of each by whom, and the messages to be sent."""
        after, messages = dict(alerts), []
        for group in _groups(alerts.values()):
            for changed, message in self._of_group(group):
                after |= {one.key: one for one in changed}
                messages.append(message)
        return after, messages

    def _of_group(self, group: Sequence[Alert]) -> Iterator[tuple[list[Alert], Message]]:
        """Messages about alerts of one owner and rule, each with the alerts as they are once it is made."""
        audible = [one for one in group if one.state == "firing" and not is_silenced(self.silences, one, self.now)]
        new = [one for one in audible if not one.is_announced]
        known = [one for one in audible if one.is_announced]
        if new and self._is_due(new, known):
            yield self._announced(new, "firing", audible)
        elif known and not new and self._since(known) >= self.timing.repeat:
            yield self._announced(known, "repeated", known)
        yield from self._escalated(known)
        yield from self._recovered(group)

    def _is_due(self, new: Sequence[Alert], known: Sequence[Alert]) -> bool:
        waited = self.now - min(one.fired_at or self.now for one in new)
        return waited >= self.timing.group and (not known or self._since(known) >= self.timing.regroup)

    def _since(self, known: Sequence[Alert]) -> timedelta:
        """Since the last message about any of them."""
        return self.now - max(one.announced_at or self.now for one in known)

    def _announced(
        self, about: Sequence[Alert], what: What, all_of_group: Sequence[Alert]
    ) -> tuple[list[Alert], Message]:
        route = self._route(all_of_group)
        changed = [replace(one, announced_at=self.now, channels=_with(one, route.channels)) for one in about]
        return changed, self._message(what, about, route.channels)

    def _escalated(self, known: Sequence[Alert]) -> Iterator[tuple[list[Alert], Message]]:
        route = self._route(known) if known else None
        if route is None or route.escalate_after is None:
            return
        overdue = [
            one
            for one in known
            if not one.escalated_at
            and not one.acknowledged_at
            and self.now - (one.fired_at or self.now) >= route.escalate_after
        ]
        if overdue:
            changed = [replace(one, escalated_at=self.now, channels=_with(one, route.escalate_to)) for one in overdue]
            yield changed, self._message("escalated", overdue, route.escalate_to)

    def _recovered(self, group: Sequence[Alert]) -> Iterator[tuple[list[Alert], Message]]:
        """About all that is over at once, or after a while about a part of it."""
        over = [one for one in group if one.state == "recovered" and one.is_announced]
        goes_on = any(one.state != "recovered" and one.is_announced for one in group)
        if not over or (goes_on and self.now - min(one.ended_at or self.now for one in over) < self.timing.regroup):
            return
        channels = tuple(dict.fromkeys(channel for one in over for channel in one.channels))
        yield (
            [replace(one, announced_at=None, escalated_at=None, channels=()) for one in over],
            self._message("recovered", over, channels),
        )

    def _route(self, alerts: Sequence[Alert]) -> Route:
        return route_of(self.routes, alerts[0].owner, alerts[0].rule, most_severe(alerts))

    def _message(self, what: What, about: Sequence[Alert], channels: tuple[str, ...]) -> Message:
        first, severity = about[0], most_severe(about)
        named = [what, first.owner, self.now.isoformat(), *sorted(one.name for one in about)]
        return Message(
            id=hashlib.sha256("\n".join(named).encode()).hexdigest()[:16],
            made_at=self.now,
            what=what,
            rule=first.rule,
            owner=first.owner,
            severity=severity,
            channels=channels,
            title=title(what, about, severity),
            body=body(what, about, self.now, self.runbook),
            about=tuple((one.subject, one.part) for one in about[:_MOST_ABOUT]),
        )


def _groups(alerts: Iterable[Alert]) -> list[list[Alert]]:
    groups: dict[tuple[str, str], list[Alert]] = {}
    for one in sorted(alerts, key=lambda one: one.key):
        groups.setdefault((one.owner, one.rule), []).append(one)
    return list(groups.values())


def _with(alert: Alert, channels: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*alert.channels, *channels]))
