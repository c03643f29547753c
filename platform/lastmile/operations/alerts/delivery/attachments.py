"""What a message about a dataset carries along: which rules were broken, how often and where, without a value of a row.

A mail box is no place for personal data: the rows themselves stay in the quarantine.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection

from lastmile.operations.alerts.alert import Message
from lastmile.quarantine.query import Selection, overview

#: Messages about these carry it.
_RULES = ("bad_share", "failed_drops")
_MOST_ROWS = 1_000
_COLUMNS = ("dataset", "partition", "column", "rule", "rows", "drops")


@contextmanager
def attachments(connection: Connection, message: Message) -> Iterator[list[Path]]:
    """The files, there while the message is sent. What broke most rows comes first."""
    if message.rule not in _RULES or message.what == "recovered":
        yield []
        return
    with TemporaryDirectory() as folder:
        found = violations(connection, message)
        file = Path(folder) / f"{message.rule}.csv"
        with file.open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(_COLUMNS)
            writer.writerows(found)
        yield [file] if found else []


def violations(connection: Connection, message: Message) -> list[list[object]]:
    """A row for each rule broken in the datasets and partitions that the message is about."""
    about = {(subject, part) for subject, part in message.about}
    rows = [
        [row[name] for name in _COLUMNS]
        for subject in dict.fromkeys(subject for subject, _ in message.about)
        for row in overview(connection, Selection(subject))
        if (subject, row["partition"]) in about or (subject, "") in about
    ]
    return sorted(rows, key=lambda row: -int(str(row[4])))[:_MOST_ROWS]
