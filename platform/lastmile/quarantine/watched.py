"""What alerts go by: messages and events of streams that were left out lately, by stream and rule."""

from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_LEFT_OUT = """
SELECT stream, rule, count(*) AS messages, (array_agg(reasons -> 0 ->> 'message' ORDER BY at DESC))[1] AS example
FROM quarantine.messages WHERE rule <> 'late' AND at > clock_timestamp() - %s GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""


def left_out(connection: Connection, within: timedelta) -> list[dict[str, Any]]:
    """How many, with an example; late events are counted elsewhere."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LEFT_OUT, [within]).fetchall()
