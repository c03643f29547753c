"""Channels: names that routes say, and the addresses behind them, which are secrets; sending by apprise.

LASTMILE_ALERTS_CHANNELS='survey-team=mailtos://user:password@example.org?to=ada@example.org
                          on-call=json://alerts.example.org/lastmile'
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lastmile.contracts.alerts import Severity
from lastmile.errors import UserError
from lastmile.operations.alerts.alert import Message
from lastmile.settings.alerts import AlertSettings

_NAME = re.compile(r"[\w.-]+")
_TYPES: Mapping[Severity, str] = {"info": "info", "warning": "warning", "critical": "failure"}
_MOST_SAID = 300


def channels(settings: AlertSettings) -> dict[str, str]:
    """Address by name. Raises UserError, without showing any address, where one cannot be understood."""
    found: dict[str, str] = {}
    for number, word in enumerate((settings.channels or "").split(), 1):
        name, _, address = word.partition("=")
        if not _NAME.fullmatch(name) or "://" not in address:
            raise UserError(
                f"LASTMILE_ALERTS_CHANNELS: entry {number} is not `name=address`, such as"
                " on-call=json://alerts.example.org/lastmile; blanks in addresses are written %20"
            )
        found[name] = address
    return found


def unusable(given: Mapping[str, str]) -> list[str]:
    """Names of the channels whose address apprise knows no service for."""
    import apprise

    return [name for name, address in given.items() if apprise.Apprise.instantiate(address) is None]


def send(address: str, message: Message, attachments: Sequence[Path] = ()) -> str | None:
    """None where the service accepted it, else why not. It waits for the service, seconds at most."""
    import apprise

    said: list[str] = []
    service = apprise.Apprise.instantiate(address)
    if service is None:
        return "its address is none that apprise knows a service for; see LASTMILE_ALERTS_CHANNELS"
    with apprise.LogCapture(level=apprise.logging.WARNING) as log:  # type: ignore[no-untyped-call]
        accepted = service.notify(
            title=message.title,
            body=f"{message.body}\nmessage {message.id}",
            notify_type=apprise.NotifyType.SUCCESS
            if message.what == "recovered"
            else apprise.NotifyType(_TYPES[message.severity]),
            body_format=apprise.NotifyFormat.TEXT,
            attach=[str(file) for file in attachments] or None,
        )
        said = log.getvalue().splitlines() if log else []
    if accepted:
        return None
    return _without(address, " ".join(" ".join(said).split())[:_MOST_SAID]) or "the service did not accept it"


def _without(address: str, text: str) -> str:
    """Without what of the address may be secret."""
    for part in sorted(re.split(r"[/:@?&=]+", address), key=len, reverse=True):
        if len(part) > 3:
            text = text.replace(part, "...")
    return text
