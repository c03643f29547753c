"""A test message: which channels it goes to, and what became of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from lastmile.contracts.alerts import Route
from lastmile.errors import UserError
from lastmile.operations.alerts.alert import Message
from lastmile.operations.alerts.delivery.channels import send
from lastmile.operations.alerts.routing import route_of


def chosen(known: Mapping[str, str], routes: Sequence[Route], channel: str | None, owner: str | None) -> Sequence[str]:
    """The channel, those of the owner's critical alerts, or all. Raises UserError where one is not configured."""
    if channel is not None:
        names: Sequence[str] = [channel]
    elif owner is not None and routes:
        route = route_of(routes, owner, "*", "critical")
        names = [*route.channels, *route.escalate_to]
    else:
        names = list(known)
    if not names:
        raise UserError(f"no route leads anywhere for {owner}: declare one in the file alerting.py of the assets")
    if missing := [name for name in names if name not in known]:
        raise UserError(f"{', '.join(missing)} is not among the channels configured: {', '.join(known)}")
    return names


def trial(address: str, owner: str) -> str | None:
    """None where the channel accepted a test message, else why not."""
    now = datetime.now(UTC)
    text = f"A test message for {owner}, sent by hand with `lastmile alerts test`. Nothing is wrong."
    return send(address, Message(uuid4().hex[:16], now, "test", "test", owner, "info", (), "[info] test", text))
