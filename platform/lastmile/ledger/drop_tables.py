"""Which tables of large drops to index or to remove: the ledger knows what became of their drops."""

from collections.abc import Collection, Mapping

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.warehouse import drop_tables
from lastmile.warehouse.drop_tables import DropTable


def create_drop_table(connection: Connection, dataset: str, origin: Mapping[str, object]) -> DropTable | None:
    """`warehouse.drop_tables.create_drop_table`, once the empty tables of drops not in force have made room.

    Those are of drops settled an hour ago or more, and not as loaded.
    """
    there = drop_tables.drops(connection, dataset)
    left = connection.execute(
        "SELECT id FROM ledger.drops WHERE id = ANY(%s) AND state NOT IN ('discovered', 'claimed', 'loaded')"
        " AND settled_at < now() - interval '1 hour' AND coalesce(claim_expires_at < now(), true)",
        [there],
    ).fetchall()
    drop_tables.remove_empty(connection, [drop_id for (drop_id,) in left])
    return drop_tables.create_drop_table(connection, dataset, origin)


def index_keys(
    connection: Connection, contract: Contract, partitions: Collection[str], except_keys: Collection[str]
) -> None:
    """Index the keys of loaded large drops in these partitions where that is still to do, but not of these objects."""
    if not_indexed := drop_tables.not_indexed(connection, contract.name):
        found = connection.execute(
            "SELECT id FROM ledger.drops WHERE id = ANY(%s) AND partition = ANY(%s) AND key <> ALL(%s)"
            " AND state = 'loaded'",
            [not_indexed, list(partitions), list(except_keys)],
        ).fetchall()
        drop_tables.index_keys(connection, contract, [drop_id for (drop_id,) in found])
