"""One change of one row, whatever brought it: the log of a Postgres, a snapshot, or an envelope of Debezium."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lastmile.sources.changes.pgoutput import Value

#: Created, updated, deleted; read, in a snapshot; all rows deleted at once (truncated).
Op = Literal["c", "u", "d", "r", "t"]
Image = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` may be the key alone; where the key did not change it may be None. Values are texts as the database
    writes them, under the names of its columns."""

    op: Op
    before: Image | None
    after: Image | None
    #: Where the transaction is in the database's log, and which of its changes this is.
    lsn: int
    number: int
    at: datetime | None
    xid: int | None = None
    #: Partition, offset and index of its message; None where no message brought it.
    message: tuple[int, int, int] | None = None
