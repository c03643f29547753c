"""Days of a window on which nothing changes any more, for those who make something of whole days."""

from datetime import UTC, date, datetime, timedelta

from psycopg import Connection, sql

_DAYS = """
SELECT (window_start AT TIME ZONE 'UTC')::date AS day, count(*), bool_and(is_final)
FROM {table} WHERE window_start >= %(first)s AND window_start < %(until)s GROUP BY 1 ORDER BY 1 LIMIT %(most)s
"""
_DAY = timedelta(days=1)


def final_days(
    connection: Connection, window: str, after: date | None, watermark: datetime, most: int
) -> list[tuple[date, int]]:
    """The next days after one that are final, in order, with their rows; up to the first day that is not."""
    if connection.execute("SELECT to_regclass(format('windows.%%I', %s::text))", [window]).fetchone() == (None,):
        return []
    midnight = datetime.min.time().replace(tzinfo=UTC)
    first = datetime.combine(after + _DAY, midnight) if after else datetime.min.replace(tzinfo=UTC)
    query = sql.SQL(_DAYS).format(table=sql.Identifier("windows", window))
    values = {"first": first, "until": datetime.combine(watermark.astimezone(UTC).date(), midnight), "most": most}
    found = []
    for day, rows, is_final in connection.execute(query, values).fetchall():
        if not is_final:
            break
        found.append((day, rows))
    return found
