"""Editions of weekly reports: which weeks are due, what was made, and mailing each once."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection

from lastmile.errors import UserError

#: Weeks that are made up for after a time without a daemon.
_MOST = 8


def due(connection: Connection, report: str, today: date | None = None) -> list[date]:
    """Mondays of the weeks that are over, have had a day of work, and have no edition; the newest of them."""
    ((first,),) = connection.execute("SELECT min(day) FROM figures.days").fetchall()
    if first is None:
        return []
    today, monday = today or datetime.now(UTC).date(), first - timedelta(days=first.weekday())
    made = {week for (week,) in connection.execute("SELECT week FROM operations.editions WHERE report = %s", [report])}
    weeks = (monday + timedelta(weeks=number) for number in range((today - monday).days // 7))
    return [week for week in weeks if week not in made][-_MOST:]


def record(connection: Connection, report: str, week: date, folder: str, run_id: str | None) -> None:
    """That an edition was made, or made again."""
    connection.execute(
        "INSERT INTO operations.editions (report, week, folder, run_id) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (report, week) DO UPDATE SET made_at = clock_timestamp(), folder = excluded.folder,"
        " run_id = excluded.run_id",
        [report, week, folder, run_id],
    )


def mail_once(
    connection: Connection, report: str, week: date, to: str, subject: str, text: str, files: Mapping[str, bytes]
) -> bool:
    """Whether it was mailed now; not where it was before. Raises UserError where it could not be.

    Killed between sending and recording that, it is mailed twice rather than never.
    """
    with connection.transaction():
        found = connection.execute(
            "SELECT mailed_at FROM operations.editions WHERE (report, week) = (%s, %s) FOR UPDATE", [report, week]
        ).fetchone()
        if found is None or found[0] is not None:
            return False
        send(to, subject, text, files)
        connection.execute(
            "UPDATE operations.editions SET mailed_at = clock_timestamp() WHERE (report, week) = (%s, %s)",
            [report, week],
        )
    return True


def send(to: str, subject: str, text: str, files: Mapping[str, bytes]) -> None:
    """To every address. Raises UserError, without any address, as each may hold a password."""
    import apprise

    sender = apprise.Apprise()
    for number, address in enumerate(to.split(), 1):
        if not sender.add(address):
            raise UserError(
                f"LASTMILE_REPORT_MAIL: address {number} is none that Apprise knows; expected such as"
                " mailtos://user:password@smtp.example.org?to=team@example.org"
            )
    with TemporaryDirectory(prefix="lastmile-mail-") as folder:
        attached = apprise.AppriseAttachment()
        for name, body in files.items():
            Path(folder, name).write_bytes(body)
            attached.add(str(Path(folder, name)))
        if not sender.notify(body=text, title=subject, body_format=apprise.NotifyFormat.TEXT, attach=attached):
            raise UserError("the report could not be sent to every address of LASTMILE_REPORT_MAIL; it is tried again")
