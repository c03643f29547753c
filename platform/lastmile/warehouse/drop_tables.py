"""A large drop has a table of its own, below that of its dataset, so that its rows go in without an index.

To put a million rows into two indexes one by one takes as long as to write them; sorted, afterwards, a quarter of that;
and keys are indexed only once another drop of the partition is to be compared with them.
`raw.<dataset>` has the rows of the tables below it (Postgres' inheritance), and whoever reads, changes or deletes rows
does so there. It is made and seen by all before the load begins, empty: were it attached by the load's own commit, a
statement planned just before it could miss the rows and yet see what the commit took away.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.errors import LockNotAvailable

from lastmile.contracts.contract import Contract
from lastmile.warehouse.tables import ensure_index

SCHEMA = "large_drops"
#: Bytes of the object from which on that is worth it: some 100,000 rows of text.
LARGE = 32 * 2**20
#: Tables below one at most; what is large after that goes where the rest is. A query has a look at each of them that it
#: cannot tell, by drop or partition, to have none of its rows.
MOST = 64
#: What a query may compare to be told that none of its rows are in a table; "+ 0" is how repeats are looked for.
PLACE = {"_drop_id": "_drop_id", "_partition_start": "_partition_start", "_partition_start + 0": "_partition_start"}
_TABLES = """
    SELECT substr(relname, 6)::bigint AS id, pg_class.oid FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass(%(table)s) AND relnamespace = to_regnamespace(%(schema)s)
"""


@dataclass(frozen=True)
class DropTable:
    """The table of one drop, and which of its columns it fills itself, all with the same value."""

    name: sql.Identifier
    filled: Collection[str] = ()


def create_drop_table(connection: Connection, dataset: str, origin: Mapping[str, object]) -> DropTable | None:
    """The table of drop `_drop_id`, in partition `_partition_start`; None where the dataset has as many as it may have.

    It is committed at once, has no index, and fills the columns of `origin`, so that they need not be sent; one that
    was there before fills none.
    """
    drop_id = origin["_drop_id"]
    name = _name(drop_id)
    with connection.transaction():
        there = drops(connection, dataset)
        if drop_id in there:
            return DropTable(name)
        if len(there) >= MOST:
            return None
        checks = [sql.SQL(f"CHECK ({asked} = {{}})").format(origin[column]) for asked, column in PLACE.items()]
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}) INHERITS ({})").format(
                name, sql.SQL(", ").join(checks), sql.Identifier("raw", dataset)
            )
        )
        filled = [
            sql.SQL("ALTER {} SET DEFAULT {}").format(sql.Identifier(column), value) for column, value in origin.items()
        ]
        connection.execute(sql.SQL("ALTER TABLE {} {}").format(name, sql.SQL(", ").join(filled)))
    return DropTable(name, origin.keys())


def index_keys(connection: Connection, contract: Contract, drop_ids: Collection[int]) -> None:
    """Index the keys of these large drops.

    Each is committed at once. One that somebody writes to is passed over; without an index it is read whole.
    """
    for drop_id in drop_ids:
        with suppress(LockNotAvailable), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '100ms'")
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(_name(drop_id)))
            ensure_index(connection, _name(drop_id), contract.key)


def remove_empty(connection: Connection, drop_ids: Collection[int]) -> None:
    """Drop the tables of these drops where they are empty and nobody reads them; the others go another time.

    Each by itself: who changes the dataset's table locks it before those below, and this goes the other way.
    """
    for drop_id in drop_ids:
        name = _name(drop_id)
        with suppress(LockNotAvailable), connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(name))
            if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(name)).rowcount == 0:
                connection.execute(sql.SQL("DROP TABLE {}").format(name))


def drops(connection: Connection, dataset: str) -> list[int]:
    """Those that have a table."""
    found = connection.execute(_TABLES, {"table": _below(connection, dataset), "schema": SCHEMA})
    return [drop_id for drop_id, _ in found.fetchall()]


def not_indexed(connection: Connection, dataset: str) -> list[int]:
    """Those whose table has no index yet."""
    found = connection.execute(
        f"SELECT id FROM ({_TABLES}) own WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = own.oid)",
        {"table": _below(connection, dataset), "schema": SCHEMA},
    )
    return [drop_id for (drop_id,) in found.fetchall()]


def _name(drop_id: object) -> sql.Identifier:
    return sql.Identifier(SCHEMA, f"drop_{drop_id}")


def _below(connection: Connection, dataset: str) -> str:
    return sql.Identifier("raw", dataset).as_string(connection)
