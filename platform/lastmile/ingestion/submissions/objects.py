"""The objects that records are gathered into: JSON Lines, each line a record as it was sent, in order of acceptance."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence

from psycopg import Connection

from lastmile.contracts.names import normal_name
from lastmile.ingestion.submissions.parsing import keys
from lastmile.store import Store

#: By column that every drop of a dataset must have: the headers that stand for it.
Required = Callable[[str], Mapping[str, Collection[str]]]

_TO_WRITE = """
SELECT key, dataset, generation FROM submissions.objects WHERE written < generation AND store = %s ORDER BY key
"""
_LINES = "SELECT body FROM submissions.records WHERE object = %s ORDER BY line"
_WRITTEN = """
UPDATE submissions.objects SET written = greatest(written, %s), version = %s, sha256 = %s WHERE key = %s
"""


def write(connection: Connection, store: Store, required: Required) -> int:
    """Put every object whose records changed into the store; returns how many. One caller at a time."""
    found = connection.execute(_TO_WRITE, [store.url]).fetchall()
    for key, dataset, generation in found:
        bodies = [body for (body,) in connection.execute(_LINES, [key]).fetchall()]
        data = "".join(f"{line}\n" for line in lines(bodies, required(dataset))).encode()
        store.put(key, data)
        sha256 = hashlib.sha256(data).hexdigest()
        connection.execute(_WRITTEN, [generation, store.head(key).version, sha256, key])
    return len(found)


def lines(bodies: Sequence[str], required: Mapping[str, Collection[str]]) -> list[str]:
    """The rows, of which the first names the required columns that no row has, empty.

    A file without such a column is refused whole; a record without it is one bad row, whatever lies with it.
    """
    if not bodies:
        return []
    named = {normal_name(key) for body in bodies for key in keys(body)}
    missing = [column for column, headers in required.items() if not named & {normal_name(one) for one in headers}]
    if not missing:
        return list(bodies)
    first = bodies[0].removesuffix("}")
    members = ",".join(f'"{column}":null' for column in missing)
    return [f"{first}{',' if first != '{' else ''}{members}}}", *bodies[1:]]
