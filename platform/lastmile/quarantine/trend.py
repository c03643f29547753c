"""How the share of bad rows goes from drop to drop of a dataset, and whether the newest is out of the ordinary."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

from psycopg import Connection

from lastmile.ledger.query import newest_in_force
from lastmile.ledger.state import read_over_time
from lastmile.quarantine.query import Bucket, Selection, over_time, undecided_bad_rows

NEWEST = 50
#: Fewer drops than these say nothing about what is usual.
_FEWEST = 5
#: The newest is far above the others when its share is so many times theirs ...
_TIMES = 3
#: ... and chance alone would bring that less often than this.
_CHANCE = 0.001


@dataclass(frozen=True)
class Share:
    """Bad rows of one drop in force, without those that were discarded. `read` is at least 1."""

    id: int
    key: str
    partition: str
    bad: int
    read: int

    @property
    def share(self) -> float:
        return self.bad / self.read


def shares(connection: Connection, store: str, dataset: str, partition: str | None = None) -> list[Share]:
    """The newest drops with rows, NEWEST at most, in the order they arrived; of all partitions where none is given."""
    found = newest_in_force(connection, store, dataset, partition, NEWEST)
    bad = undecided_bad_rows(connection, [drop.id for drop in found])
    return [Share(drop.id, drop.key, drop.partition, bad.get(drop.id, 0), drop.rows_read) for drop in reversed(found)]


def rules_over_time(
    connection: Connection, selection: Selection, bucket: Bucket, first: date | None, last: date | None, limit: int
) -> list[dict[str, Any]]:
    """What `over_time` finds, with the rows `read` in the same bucket and the `share` that broke the rule."""
    found = over_time(connection, selection, bucket, first, last, limit)
    read = read_over_time(connection, selection.store or "", selection.dataset, bucket, first, last)
    return [
        {**one, "read": rows, "share": one["rows"] / rows if rows else None}
        for one in found
        for rows in [read.get((one["bucket"], one["dataset"]), 0)]
    ]


def usual(earlier: Sequence[Share]) -> float:
    """The median share: a few bad drops do not move it."""
    return median(drop.share for drop in earlier)


def anomaly(drops: Sequence[Share]) -> str | None:
    """What to say where the newest drop's share of bad rows is far above that of the drops before it; else None.

    Far above means over three times their median, and by more than chance explains: were each row bad with the usual
    probability p, a share q among n rows would come with probability exp(-n * D(q, p)) at most, D being the relative
    entropy (Chernoff, 1952). Where hardly a row was ever bad, p is one in all the rows read before.
    """
    if len(drops) <= _FEWEST:
        return None
    *earlier, newest = drops
    before = usual(earlier)
    expected = max(before, 1 / (sum(drop.read for drop in earlier) + 2))
    if newest.share <= _TIMES * expected or newest.read * _entropy(newest.share, expected) < -math.log(_CHANCE):
        return None
    return (
        f"drop {newest.id} ({newest.key}): {newest.bad:,} of {newest.read:,} rows ({newest.share:.1%}) broke the"
        f" contract; usual is {before:.1%}, the median of the {len(earlier)} drops before it. See why with"
        f" `lastmile quarantine show --drop {newest.id}`"
    )


def _entropy(found: float, expected: float) -> float:
    """Relative entropy of two yes-or-no distributions, in nats; `expected` is above 0 and below 1/3."""
    rest = (1 - found) * math.log((1 - found) / (1 - expected)) if found < 1 else 0.0
    return found * math.log(found / expected) + rest
