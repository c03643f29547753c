"""Which records lie in which object: decided in one transaction, before anything is written to the store.

New records of a dataset and partition become one new object. A new revision stands in the object and place of the one
before; where it belongs to another partition it leaves that object and joins a new one, and what is withdrawn leaves
its object for good. An object whose records changed has a new generation, which `objects.write` puts into the store:
killed in between, it does so the next time, with the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.store.landing import GATHERED, LANDING

#: Records of one object, and of one step.
MOST = 10_000

_AFFECTED = """
WITH waiting AS (
    SELECT id, dataset, record FROM submissions.records WHERE waiting ORDER BY id LIMIT %s
), named AS (
    SELECT DISTINCT dataset, record FROM waiting
), replaced AS (
    SELECT r.id FROM submissions.records r JOIN named USING (dataset, record) WHERE r.in_force AND r.set_of IS NULL
)
SELECT dataset, record FROM named
UNION
SELECT r.dataset, r.record FROM submissions.records r WHERE r.in_force AND r.set_of IN (SELECT id FROM replaced)
"""
_CANDIDATES = """
SELECT r.id, r.job, r.dataset, r.partition, r.record, coalesce(r.rank, r.revision) AS rank, r.withdrawn, r.set_of,
    r.in_force, r.object, r.line
FROM submissions.records r
JOIN unnest(%s::text[], %s::text[]) AS named (dataset, record) USING (dataset, record)
WHERE r.waiting OR r.in_force
ORDER BY r.dataset, r.record, r.id
"""
_SETS_IN_FORCE = "SELECT id FROM submissions.records WHERE in_force AND id = ANY(%s::bigint[])"
_OUT_OF_FORCE = """
UPDATE submissions.records SET waiting = false, in_force = false, object = NULL, line = NULL
WHERE id = ANY(%s::bigint[])
"""
_IN_FORCE = """
UPDATE submissions.records r SET waiting = false, in_force = true, rank = placed.rank, object = placed.object,
    line = placed.line
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[]) AS placed (id, rank, object, line)
WHERE r.id = placed.id
"""
_NEW_OBJECTS = "INSERT INTO submissions.objects (store, dataset, partition, key) VALUES (%s, %s, %s, %s)"
_CHANGED_OBJECTS = "UPDATE submissions.objects SET generation = generation + 1 WHERE key = ANY(%s::text[])"
_RENUMBERED = """
UPDATE submissions.records r SET line = placed.line FROM (
    SELECT id, row_number() OVER (PARTITION BY object ORDER BY line, id) AS line
    FROM submissions.records WHERE object = ANY(%s::text[])
) placed WHERE r.id = placed.id AND r.line <> placed.line
"""


@dataclass
class _Row:
    id: int
    job: object
    dataset: str
    partition: str
    record: str
    rank: int | None
    withdrawn: bool
    set_of: int | None
    in_force: bool
    object: str | None
    line: int | None


@dataclass
class _Change:
    """Of one record: the row that is in force from now on, if any, and the others that were candidates."""

    winner: _Row | None
    before: _Row | None
    losers: list[_Row]


def gather(connection: Connection, store: str) -> int:
    """Place the records that wait, up to MOST; returns how many were looked at. One caller at a time."""
    with connection.transaction():
        named = connection.execute(_AFFECTED, [MOST]).fetchall()
        if not named:
            return 0
        rows = _candidates(connection, named)
        _place(connection, store, [_judged(some) for some in _by_record(rows) if some[0].set_of is None])
        owned = [some for some in _by_record(rows) if some[0].set_of is not None]
        if owned:
            sets = {row.set_of for some in owned for row in some}
            found = connection.execute(_SETS_IN_FORCE, [list(sets)]).fetchall()
            in_force = {one for (one,) in found}
            _place(connection, store, [_judged(some, in_force) for some in owned])
    return len(named)


def _candidates(connection: Connection, named: Sequence[tuple[str, str]]) -> list[_Row]:
    datasets, records = [dataset for dataset, _ in named], [record for _, record in named]
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        return cursor.execute(_CANDIDATES, [datasets, records]).fetchall()


def _by_record(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    for _, some in groupby(rows, lambda row: (row.dataset, row.record)):
        yield list(some)


def _judged(rows: list[_Row], sets: set[int] | None = None) -> _Change:
    """Which row counts: of those whose set is in force, where they have one."""
    able = [row for row in rows if sets is None or row.set_of in sets]
    highest = -1
    for row in able:  # in order of arrival
        row.rank = highest if row.rank is None else row.rank
        highest = max(highest, row.rank)
    winner = max(able, key=lambda row: (-1 if row.rank is None else row.rank, row.id), default=None)
    before = next((row for row in rows if row.in_force), None)
    return _Change(winner, before, [row for row in rows if row is not winner])


def _place(connection: Connection, store: str, changes: Sequence[_Change]) -> None:
    changed: set[str] = set()
    joining: list[_Row] = []
    for change in changes:
        left, winner = change.before, change.winner
        if winner is left:
            continue
        place = left.object if left else None
        if place:
            changed.add(place)
        if winner is None or winner.withdrawn:
            continue
        if left and place and winner.partition == left.partition:
            winner.object, winner.line = place, left.line
        else:
            joining.append(winner)
    new = list(_new_objects(joining))
    connection.execute(_OUT_OF_FORCE, [[row.id for change in changes for row in change.losers]])
    for one in new:
        connection.execute(_NEW_OBJECTS, [store, *one])
    winners = [change.winner for change in changes if change.winner]
    columns = [[getattr(row, name) for row in winners] for name in ("id", "rank", "object", "line")]
    connection.execute(_IN_FORCE, columns)
    connection.execute(_CHANGED_OBJECTS, [list(changed)])
    connection.execute(_RENUMBERED, [list(changed)])


def waiting(connection: Connection) -> dict[str, int]:
    """Records by dataset that were accepted and lie in no object yet."""
    found = connection.execute("SELECT dataset, count(*) FROM submissions.records WHERE waiting GROUP BY 1")
    return dict(found.fetchall())


def _new_objects(rows: Iterable[_Row]) -> Iterator[tuple[str, str, str]]:
    """Give each row a new object and its line there; yields dataset, partition and key of these."""

    def place(row: _Row) -> tuple[str, str]:
        return row.dataset, row.partition

    for (dataset, partition), found in groupby(sorted(rows, key=lambda row: (*place(row), row.id)), place):
        every = list(found)
        for some in (every[first : first + MOST] for first in range(0, len(every), MOST)):
            # The job is in the name, so that a database brought back to an earlier state never reuses one.
            key = f"{LANDING}{dataset}/{partition}/{GATHERED}{some[0].id:012}-{str(some[0].job)[:8]}.jsonl"
            for line, row in enumerate(some, 1):
                row.object, row.line = key, line
            yield dataset, partition, key
