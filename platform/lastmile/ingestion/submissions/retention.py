"""Jobs that are not followed any more.

Records stay: an object of the landing area is written again from all of its records when another one comes, and by the
old ones it is known that something was submitted before.
"""

from datetime import datetime

from psycopg import Connection

_OLD = """
    FROM submissions.jobs j WHERE created_at < %s AND (kind <> 'file' OR version IS NOT NULL)
    AND NOT EXISTS (SELECT FROM submissions.records r WHERE r.job = j.id)
"""


def old_jobs(connection: Connection, before: datetime) -> int:
    """How many jobs of files that landed, or of records that were submitted before, are older."""
    ((rows,),) = connection.execute(f"SELECT count(*) {_OLD}".encode(), [before]).fetchall()
    return int(rows)


def forget_jobs(connection: Connection, before: datetime) -> int:
    """Remove them, and with them their idempotency keys."""
    gone, total = 1, 0
    while gone:
        chosen = f"SELECT id {_OLD} LIMIT 5000"
        statement = f"DELETE FROM submissions.jobs WHERE id = ANY (ARRAY({chosen}))"
        gone = connection.execute(statement.encode(), [before]).rowcount
        total += gone
    return total
