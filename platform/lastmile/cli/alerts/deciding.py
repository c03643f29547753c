"""`lastmile alerts silence`, `lift` and `acknowledge`: what a person decides about alerts."""

import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from lastmile.cli.connection import opened
from lastmile.errors import UserError
from lastmile.settings import Settings

By = Annotated[str | None, typer.Option("--by", help="Who decides (default: the user of this terminal).")]
Rule = Annotated[str, typer.Argument(help="A rule, such as bad_share; a silence also covers patterns, such as '*'.")]
Subject = Annotated[str, typer.Argument(help="A dataset or model, or `platform`.")]
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def silence(
    comment: Annotated[str, typer.Option("--comment", help="Why, for the next person on call.")],
    rule: Rule = "*",
    subject: Subject = "*",
    part: Annotated[str, typer.Option("--part", help="A part of it, such as partition 2019; also a pattern.")] = "*",
    owner: Annotated[str, typer.Option("--owner", help="Only alerts of this owner; also a pattern.")] = "*",
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 4h, 2d.")] = "4h",
    by: By = None,
) -> None:
    """Keep back messages about what fits, for a while; it is listed as silenced meanwhile. See all with `list`.

    What is still so afterwards is announced then. The end of what was announced before is reported nevertheless.

    Example: lastmile alerts silence freshness hhinfo --for 2d --comment "the survey is over until March"
    """
    from lastmile.operations.alerts.silences import silence as keep_silence

    until = datetime.now(UTC) + parsed(duration)
    with opened(Settings.from_environment()) as (connection, _):
        made = keep_silence(connection, until, comment, by or getpass.getuser(), rule, subject, part, owner)
    print(f"silence {made.id} until {made.until:%Y-%m-%d %H:%M} UTC; end it with `lastmile alerts lift {made.id}`")


def lift(number: Annotated[int, typer.Argument(help="Number of the silence, as `list` shows it.")]) -> None:
    """End a silence before its time.

    Example: lastmile alerts lift 3
    """
    from lastmile.operations.alerts.silences import lift as end_silence

    with opened(Settings.from_environment()) as (connection, _):
        if not end_silence(connection, number):
            raise UserError(
                f"there is no silence {number}, or it is over: `lastmile alerts list` shows those there are"
            )
    print(f"silence {number} is over")


def acknowledge(
    rule: Rule,
    subject: Subject = "platform",
    part: Annotated[str | None, typer.Option("--part", help="Only this part, such as partition 2019.")] = None,
    by: By = None,
) -> None:
    """Say that what fires is in your hands, so that it is not escalated.

    Example: lastmile alerts acknowledge bad_share crop --by ada
    """
    from lastmile.operations.alerts.book import acknowledge as record_acknowledgement

    with opened(Settings.from_environment()) as (connection, _):
        done = record_acknowledgement(connection, rule, subject, part, by or getpass.getuser())
    if not done:
        raise UserError(f"nothing of {rule} {subject} fires unacknowledged: `lastmile alerts list` shows what does")
    print(f"acknowledged {', '.join(one.name for one in done[:5])}{f' and {len(done) - 5} more' * (len(done) > 5)}")


def parsed(text: str) -> timedelta:
    """Such as `30m`, `4h`, `2d`. Raises UserError for anything else."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if not found:
        raise UserError(f"--for is {text!r}; expected a number of minutes, hours or days, such as 30m, 4h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
