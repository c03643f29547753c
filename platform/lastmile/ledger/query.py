"""What the ledger knows about drops, for those who only look: commands, API, checks and reports."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from lastmile.ledger.drops import State


@dataclass(frozen=True)
class DropRecord:
    """A row of the ledger, without what is of interest to workers only."""

    id: int
    dataset: str
    partition: str
    key: str
    version: str
    size: int
    state: State
    message: str | None
    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int
    modified_at: datetime
    discovered_at: datetime
    appeared_at: datetime
    partition_end: date | None
    lateness_seconds: float | None
    settled_at: datetime | None
    removed_at: datetime | None
    discarded_at: datetime | None
    discarded_why: str | None
    superseded_by: int | None
    attempts: int
    run_id: str | None
    sha256: str | None
    format: dict[str, Any]
    schema_change: dict[str, Any]
    contract_version: str | None
    cleaned_key: str | None


@dataclass(frozen=True)
class Event:
    """Something that happened to a drop."""

    at: datetime
    state: str
    run_id: str | None
    message: str | None


@dataclass(frozen=True)
class DropFilter:
    """Which drops to show; None means all."""

    dataset: str | None = None
    partition: str | None = None
    state: State | None = None


@dataclass(frozen=True)
class DropResult:
    """How a drop ended. `is_requested`: a re-ingest, release or column fill of it is not carried out yet."""

    id: int
    store: str
    key: str
    state: State
    message: str | None
    is_requested: bool
    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int


@dataclass(frozen=True)
class HeaderChange:
    """What so many drops' headers have in common that differs from their contract; `keys` are the first of them."""

    change: dict[str, Any]
    drops: int
    keys: list[str]


_COLUMNS = ", ".join(DropRecord.__dataclass_fields__)
_RESULT = """
    id, store, key, state, message, retake IS NOT NULL OR refill IS NOT NULL AS is_requested,
    rows_read, rows_loaded, rows_quarantined, rows_duplicate
"""


def page(
    connection: Connection, store: str, wanted: DropFilter, limit: int, after: int | None = None
) -> tuple[list[DropRecord], int | None]:
    """The newest drops, or those older than the drop `after`, and what to pass as `after` for the next page.

    That is None on the last page. A page costs the same however far back it is.
    """
    where = [f"{name} = %({name})s" for name, value in asdict(wanted).items() if value is not None]
    if after is not None:
        where.append("id < %(after)s")
    with connection.cursor(row_factory=class_row(DropRecord)) as cursor:
        found = cursor.execute(
            f"SELECT {_COLUMNS} FROM ledger.drops WHERE {' AND '.join(['store = %(store)s', *where])}"
            " ORDER BY id DESC LIMIT %(limit)s + 1",
            {**asdict(wanted), "store": store, "limit": limit, "after": after},
        ).fetchall()
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def find(connection: Connection, store: str, drop_id: int) -> DropRecord | None:
    """The drop; None where the store has no such drop."""
    with connection.cursor(row_factory=class_row(DropRecord)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM ledger.drops WHERE store = %s AND id = %s", [store, drop_id]
        ).fetchone()


def events(connection: Connection, drop_id: int) -> list[Event]:
    """All that happened to a drop, oldest first."""
    with connection.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(
            "SELECT at, state, run_id, message FROM ledger.events WHERE drop_id = %s ORDER BY id", [drop_id]
        ).fetchall()


def traceparent(connection: Connection, drop_id: int) -> str | None:
    """The drop's place in a trace."""
    row = connection.execute("SELECT traceparent FROM ledger.drops WHERE id = %s", [drop_id]).fetchone()
    return row[0] if row else None


def results(connection: Connection, drop_ids: Sequence[int]) -> list[DropResult]:
    """How these drops ended, in order of their ids."""
    with connection.cursor(row_factory=class_row(DropResult)) as cursor:
        return cursor.execute(
            f"SELECT {_RESULT} FROM ledger.drops WHERE id = ANY(%s) ORDER BY id", [list(drop_ids)]
        ).fetchall()


def results_of(connection: Connection, dataset: str, partitions: Sequence[str] | None = None) -> list[DropResult]:
    """How the drops of a dataset ended, of all its partitions where none are given."""
    with connection.cursor(row_factory=class_row(DropResult)) as cursor:
        return cursor.execute(
            f"SELECT {_RESULT} FROM ledger.drops WHERE dataset = %(dataset)s"
            " AND (%(partitions)s::text[] IS NULL OR partition = ANY(%(partitions)s)) ORDER BY id",
            {"dataset": dataset, "partitions": None if partitions is None else list(partitions)},
        ).fetchall()


def origins(connection: Connection, store: str, drop_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Which versions of which objects these drops are, and the runs that ingested them, in order of their ids."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT id, dataset, partition, key, version, sha256, state, run_id AS run, modified_at, removed_at
            FROM ledger.drops WHERE store = %s AND id = ANY(%s) ORDER BY id
            """,
            [store, list(drop_ids)],
        ).fetchall()


def of_runs(connection: Connection, store: str, runs: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """The drops that these runs were the last to ingest, oldest first, with their rows."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT id, dataset, partition, key, state, rows_read AS read, rows_loaded AS loaded,
                rows_quarantined AS quarantined, rows_duplicate AS duplicate
            FROM ledger.drops WHERE store = %s AND run_id = ANY(%s) ORDER BY id LIMIT %s
            """,
            [store, list(runs), limit],
        ).fetchall()


def newest_in_force(
    connection: Connection, store: str, dataset: str, partition: str | None, limit: int
) -> list[DropRecord]:
    """The newest drops in force that have rows and are not discarded, newest first."""
    with connection.cursor(row_factory=class_row(DropRecord)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_COLUMNS} FROM ledger.drops
            WHERE store = %(store)s AND dataset = %(dataset)s AND state IN ('loaded', 'quarantined') AND rows_read > 0
              AND discarded_at IS NULL AND (%(partition)s::text IS NULL OR partition = %(partition)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"store": store, "dataset": dataset, "partition": partition, "limit": limit},
        ).fetchall()


def unknown(connection: Connection, dataset: str, drop_ids: Sequence[int]) -> list[int]:
    """Those of these ids that are no drop of the dataset."""
    found = connection.execute(
        """
        SELECT given.id FROM unnest(%s::bigint[]) AS given (id)
        WHERE NOT EXISTS (SELECT FROM ledger.drops d WHERE d.id = given.id AND d.dataset = %s) ORDER BY 1
        """,
        [list(drop_ids), dataset],
    ).fetchall()
    return [drop_id for (drop_id,) in found]


def loaded_ids(connection: Connection, store: str, datasets: Sequence[str]) -> list[int]:
    """Ids of the loaded drops of these datasets, ascending: what a table made from them is made of."""
    found = connection.execute(
        "SELECT id FROM ledger.drops WHERE store = %s AND dataset = ANY(%s) AND state = 'loaded' ORDER BY id",
        [store, list(datasets)],
    ).fetchall()
    return [drop_id for (drop_id,) in found]


def newest_drop(connection: Connection, store: str, dataset: str) -> datetime | None:
    """When the newest drop of the dataset was put into the landing area."""
    row = connection.execute(
        "SELECT max(modified_at) FROM ledger.drops WHERE store = %s AND dataset = %s", [store, dataset]
    ).fetchone()
    return row[0] if row else None


def header_changes(connection: Connection, store: str, dataset: str, keys: int) -> list[HeaderChange]:
    """How the headers of the drops in force differ from the contract: one for all drops that differ in the same way."""
    with connection.cursor(row_factory=class_row(HeaderChange)) as cursor:
        return cursor.execute(
            """
            SELECT schema_change AS change, count(*) AS drops, (array_agg(key ORDER BY id))[:%(keys)s] AS keys
            FROM ledger.drops
            WHERE store = %(store)s AND dataset = %(dataset)s AND state IN ('loaded', 'quarantined')
                AND schema_change <> '{}' AND discarded_at IS NULL
            GROUP BY schema_change ORDER BY min(id)
            """,
            {"store": store, "dataset": dataset, "keys": keys},
        ).fetchall()


def rows_by_folder(connection: Connection, store: str, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the drops in force by `folder`, the first below the partition, and partition.

    Columns folder, partition, read, loaded, quarantined, duplicate; the largest share not loaded first.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT split_part(key, '/', 4) AS folder, partition, sum(rows_read)::bigint AS read,
                sum(rows_loaded)::bigint AS loaded, sum(rows_quarantined)::bigint AS quarantined,
                sum(rows_duplicate)::bigint AS duplicate
            FROM ledger.drops
            WHERE store = %s AND dataset = ANY(%s) AND state IN ('loaded', 'quarantined')
            GROUP BY 1, 2 HAVING sum(rows_read) > 0
            ORDER BY sum(rows_quarantined + rows_duplicate) / sum(rows_read) DESC, 2, 1
            """,
            [store, list(datasets)],
        ).fetchall()


def partitions_with_drops(connection: Connection, store: str, dataset: str) -> list[str]:
    """The partitions that drops of the dataset have landed under, whatever became of them."""
    found = connection.execute(
        "SELECT DISTINCT partition FROM ledger.drops WHERE store = %s AND dataset = %s", [store, dataset]
    ).fetchall()
    return [partition for (partition,) in found]


def changed_outside_runs(connection: Connection, store: str, after: int) -> tuple[int, list[str]]:
    """Number of the newest event, and the datasets of whose drops something failed or was decided outside of a run.

    Events up to the number `after` are known.
    """
    row = connection.execute(
        """
        SELECT coalesce(max(e.id), %(after)s),
            coalesce(array_agg(DISTINCT dataset) FILTER (WHERE e.run_id IS NULL AND e.state <> 'discovered'), '{}')
        FROM ledger.events e JOIN ledger.drops d ON d.id = e.drop_id WHERE e.id > %(after)s AND store = %(store)s
        """,
        {"store": store, "after": after},
    ).fetchone()
    return row or (after, [])


def has(connection: Connection, column: Literal["id", "dataset", "partition"], value: object) -> bool:
    """Whether any drop has this value."""
    return connection.execute(f"SELECT FROM ledger.drops WHERE {column} = %s LIMIT 1", [value]).rowcount == 1


def datasets(connection: Connection) -> list[str]:
    """Names of the datasets that drops have arrived for."""
    return [name for (name,) in connection.execute("SELECT DISTINCT dataset FROM ledger.drops ORDER BY 1").fetchall()]


def answers(connection: Connection) -> None:
    """The smallest request there is; raises psycopg.Error where the ledger cannot be read."""
    connection.execute("SELECT FROM ledger.drops LIMIT 1")
