"""The traces that objects of the landing area were sent in, for the drops that they become."""

from collections.abc import Sequence

from psycopg import Connection

from lastmile.store.landing import GATHERED

#: Of one object of records, whose requests may be thousands.
_MOST = 32

_OF_FILES = """
SELECT DISTINCT ON (key) key, ARRAY[traceparent] FROM submissions.jobs
WHERE traceparent IS NOT NULL AND store = %(store)s AND key = ANY(%(keys)s::text[]) ORDER BY key, place DESC
"""
_OF_RECORDS = """
SELECT wanted.key, found.traceparents FROM unnest(%(gathered)s::text[]) AS wanted (key), LATERAL (
    SELECT array_agg(traceparent ORDER BY place DESC) AS traceparents FROM submissions.jobs WHERE id IN (
        SELECT job FROM submissions.records WHERE object = wanted.key ORDER BY id DESC LIMIT %(most)s
    )
) found WHERE found.traceparents IS NOT NULL
"""


def traces_of(connection: Connection, store: str, keys: Sequence[str]) -> dict[str, list[str]]:
    """By key, those of the newest requests that it is made of; of none that was not traced."""
    gathered = [key for key in keys if f"/{GATHERED}" in key]
    found = connection.execute(
        f"({_OF_FILES}) UNION ALL ({_OF_RECORDS})",
        {"store": store, "keys": list(keys), "gathered": gathered, "most": _MOST},
    ).fetchall()
    return {key: [one for one in traces if one] for key, traces in found if any(traces)}
