"""Columns that nobody declared, where a contract says to add them: they become text columns of the dataset's table."""

from collections.abc import Sequence
from dataclasses import replace

import pandera.polars as pa
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.contracts.declaration import headers
from lastmile.contracts.names import COLUMN_NAME, normal_name
from lastmile.warehouse.tables import ADDED, columns, ensure_table

#: A table grows to this many columns. A row of Postgres has 8,160 bytes, of which a text, however short, may take 25.
WIDEST = 300


def grown(connection: Connection, contract: Contract, header: Sequence[str]) -> Contract:
    """The contract with the drop's unknown columns added as text, where it says to add them.

    Those whose name cannot be a column's, or is not alone, or is that of a column of another type, or for which the
    table is too wide, stay unknown: they go to `_rescued` like anywhere else.
    """
    if contract.policy.unknown_columns != "add":
        return contract
    known = {normal_name(name) for name, _ in headers(contract.columns)}
    names = [normal_name(name) for name in header]
    new = [name for name in names if name not in known and COLUMN_NAME.fullmatch(name) and names.count(name) == 1]
    if not new:
        return contract
    there = columns(connection, contract.name)
    room = max(WIDEST - len(there), 0)
    fresh = [name for name in new if name not in there][:room]
    added = [name for name in new if name in fresh or there.get(name) == "text"]
    larger = replace(contract, schema=contract.table.add_columns({name: _column() for name in added}))
    ensure_table(connection, larger)
    return larger


def _column() -> pa.Column:
    return pa.Column(str, nullable=True, required=False, description=ADDED, metadata={"added": True})
