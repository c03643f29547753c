"""Sending what is due: each channel by itself, so that one that is down keeps no other waiting."""

from collections.abc import Callable, Mapping
from datetime import datetime

from psycopg import Connection

from lastmile.operations.alerts.delivery import outbox
from lastmile.operations.alerts.delivery.attachments import attachments
from lastmile.operations.alerts.delivery.channels import send

Say = Callable[[str], None]


def deliver(connection: Connection, addresses: Mapping[str, str], now: Callable[[], datetime], say: Say) -> None:
    """Every delivery that is due, once. After one of a channel failed, the others of that channel wait for it."""
    down: set[str] = set()
    for one in outbox.due(connection, now()):
        if one.channel in down:
            continue
        address = addresses.get(one.channel)
        if address is None:
            why: str | None = "no channel of this name is configured; see LASTMILE_ALERTS_CHANNELS"
        else:
            with attachments(connection, one.message) as files:
                why = send(address, one.message, files)
        if why is None:
            outbox.delivered(connection, one, now())
            say(f"sent to {one.channel}: {one.message.title}")
        else:
            down.add(one.channel)
            outbox.failed(connection, one, why, now())
            say(f"not sent to {one.channel}, which is tried again: {one.message.title}: {why}")
