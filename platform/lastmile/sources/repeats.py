"""Which records of an incremental fetch were landed before: known by a digest of their bytes, whatever sent them again.

A server may send what lies before the cursor: because of the overlap, because two records share the cursor's value, or
because it does not heed the cursor. Such a record is landed only if no earlier fetch, whose drop is loaded, landed it.
So nothing is landed twice, and nothing is lost that appears late.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from lastmile.sources import fetches
from lastmile.sources.cursors import in_force

#: Of two different records one in 10^19 pairs has the same one.
BYTES = 8


def digest(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=BYTES).digest()


def landed_before(connection: Connection, store: str, source: str, key: str, digests: bytes) -> NDArray[np.bool_]:
    """Of each of these digests, one after another, whether a fetch under another key landed it.

    Fetches are looked at from the newest on until all are found; those of one are held in memory at a time.
    """
    wanted = np.frombuffer(digests, np.uint64)
    found = np.zeros(len(wanted), np.bool_)
    for one in in_force(connection, store, source, but_for=key) if len(wanted) else ():
        found |= np.isin(wanted, np.frombuffer(fetches.digests(connection, one.id), np.uint64))
        if found.all():
            break
    return found
