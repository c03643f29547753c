"""Silences in Postgres."""

from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.errors import UserError
from lastmile.operations.alerts.routing import Silence

_COLUMNS = "id, rule, subject, part, owner, until, comment, by"


def silences(connection: Connection) -> list[Silence]:
    """Those that are not over."""
    with connection.cursor(row_factory=class_row(Silence)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM operations.alert_silences WHERE until > now() ORDER BY until"
        ).fetchall()


def silence(
    connection: Connection,
    until: datetime,
    comment: str,
    by: str,
    rule: str = "*",
    subject: str = "*",
    part: str = "*",
    owner: str = "*",
) -> Silence:
    """Keep back what fits all four patterns. Raises UserError without a comment: the next on call wants to know why."""
    if not comment.strip():
        raise UserError("the comment is empty: say why this is silent, for the next person on call")
    with connection.cursor(row_factory=class_row(Silence)) as cursor:
        return cursor.execute(
            f"INSERT INTO operations.alert_silences (rule, subject, part, owner, until, comment, by)"
            f" VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            [rule, subject, part, owner, until, comment, by],
        ).fetchall()[0]


def lift(connection: Connection, number: int) -> bool:
    """End a silence now; False where there is none of this number, or it was over."""
    done = connection.execute(
        "UPDATE operations.alert_silences SET until = now() WHERE id = %s AND until > now()", [number]
    )
    return done.rowcount > 0
