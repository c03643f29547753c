"""A large drop has its own table, inheriting from its dataset's, so that its rows are inserted without an index.

Inserting a million rows into two indexes one by one takes as long as writing the rows; building the indexes afterwards,
sorted, takes a quarter of that; and keys are indexed only once another drop of the partition is compared with them.
Queries, updates and deletes on `raw.<dataset>` include the rows of the tables that inherit from it. The table is
created and committed, empty, before the load begins: if the load's own commit attached it, a statement planned just
before could miss the new rows and yet see the deletion of the old ones.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.errors import DuplicateTable, LockNotAvailable, UniqueViolation

from lastmile.contracts.contract import Contract
from lastmile.warehouse.tables import ensure_index

SCHEMA = "large_drops"
#: Size of an object from which its own table pays: some 100,000 rows of text.
LARGE_BYTES = 32 * 2**20
#: Tables of one dataset; later large drops go into the common table. A query scans each of them that the planner cannot
#: exclude by drop or partition.
MAX_TABLES = 64
#: Expressions by which the planner may exclude a table, and their columns; "+ 0" is what deduplication compares.
EXCLUSION_CHECKS = {
    "_drop_id": "_drop_id",
    "_partition_start": "_partition_start",
    "_partition_start + 0": "_partition_start",
}
_TABLES = """
    SELECT substr(relname, 6)::bigint AS id, pg_class.oid FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass(%(table)s) AND relnamespace = to_regnamespace(%(schema)s)
"""


@dataclass(frozen=True)
class DropTable:
    """The table of one drop, and the columns that it fills itself by a default, the same for all rows."""

    name: sql.Identifier
    with_default: Collection[str] = ()


def create_drop_table(connection: Connection, dataset: str, provenance: Mapping[str, object]) -> DropTable | None:
    """The table of drop `_drop_id`, in partition `_partition_start`; None where the dataset has MAX_TABLES already.

    It is committed immediately, has no index, and fills the columns of `provenance` by defaults, so that they need not
    be sent; one that existed before has no defaults.
    """
    drop_id = provenance["_drop_id"]
    existing = drops(connection, dataset)
    if drop_id not in existing and len(existing) >= MAX_TABLES:
        return None
    name = _name(drop_id)
    if drop_id in existing or not _created(connection, name, dataset, provenance):
        return DropTable(name)
    return DropTable(name, provenance.keys())


def _created(connection: Connection, name: sql.Identifier, dataset: str, provenance: Mapping[str, object]) -> bool:
    """Create the table; False where another worker, whose claim on the same drop ran out, has just done so."""
    checks = [
        sql.SQL(f"CHECK ({expression} = {{}})").format(provenance[column])
        for expression, column in EXCLUSION_CHECKS.items()
    ]
    defaults = [
        sql.SQL("ALTER {} SET DEFAULT {}").format(sql.Identifier(column), value) for column, value in provenance.items()
    ]
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE TABLE {} ({}) INHERITS ({})").format(
                    name, sql.SQL(", ").join(checks), sql.Identifier("raw", dataset)
                )
            )
            connection.execute(sql.SQL("ALTER TABLE {} {}").format(name, sql.SQL(", ").join(defaults)))
    except (DuplicateTable, UniqueViolation):  # the second while the other has yet to commit
        return False
    return True


def index_keys(connection: Connection, contract: Contract, drop_ids: Collection[int]) -> None:
    """Index the keys of these large drops.

    Each index is committed immediately. A table being written to is skipped: without an index it is scanned.
    """
    for drop_id in drop_ids:
        with suppress(LockNotAvailable), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '100ms'")
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(_name(drop_id)))
            ensure_index(connection, _name(drop_id), contract.key)


def remove_empty(connection: Connection, drop_ids: Collection[int]) -> None:
    """Drop the tables of these drops where they are empty and not being read; the others go another time.

    Each by itself: who changes the dataset's table locks it before those below, and this goes the other way.
    """
    for drop_id in drop_ids:
        name = _name(drop_id)
        with suppress(LockNotAvailable), connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT").format(name))
            if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(name)).rowcount == 0:
                connection.execute(sql.SQL("DROP TABLE {}").format(name))


def drops(connection: Connection, dataset: str) -> list[int]:
    """The drops of the dataset that have a table."""
    found = connection.execute(_TABLES, {"table": _parent(connection, dataset), "schema": SCHEMA})
    return [drop_id for drop_id, _ in found.fetchall()]


def not_indexed(connection: Connection, dataset: str) -> list[int]:
    """The drops of the dataset whose table has no index yet."""
    found = connection.execute(
        f"SELECT id FROM ({_TABLES}) own WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = own.oid)",
        {"table": _parent(connection, dataset), "schema": SCHEMA},
    )
    return [drop_id for (drop_id,) in found.fetchall()]


def _name(drop_id: object) -> sql.Identifier:
    return sql.Identifier(SCHEMA, f"drop_{drop_id}")


def _parent(connection: Connection, dataset: str) -> str:
    return sql.Identifier("raw", dataset).as_string(connection)
