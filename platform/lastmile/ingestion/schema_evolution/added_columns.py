"""Undeclared columns, where the contract says to add them: they become text columns of the dataset's table."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.contracts.declaration import headers
from lastmile.contracts.lean_pandera import pa
from lastmile.contracts.names import COLUMN_NAME, normal_name
from lastmile.warehouse.tables import ADDED_COMMENT, column_types, ensure_table

#: Columns up to which a table is extended: a row of Postgres has 8,160 bytes, and even a short text may use 25.
MAX_TABLE_COLUMNS = 300


def with_added_columns(connection: Connection, contract: Contract, header: Sequence[str]) -> Contract:
    """The contract with the drop's unknown columns added as text, in the table too.

    Those whose name is invalid, repeated, or that of a column of another type, or for which the table has no room,
    stay unknown: their values are rescued.
    """
    known = {normal_name(name) for name, _ in headers(contract.columns)}
    names = [normal_name(name) for name in header]
    new = [name for name in names if name not in known and COLUMN_NAME.fullmatch(name) and names.count(name) == 1]
    if not new:
        return contract
    existing = column_types(connection, contract.name)
    room = max(MAX_TABLE_COLUMNS - len(existing), 0)
    fresh = [name for name in new if name not in existing][:room]
    added = [name for name in new if name in fresh or existing.get(name) == "text"]
    extended = replace(contract, columns={**contract.columns, **{name: _column() for name in added}})
    ensure_table(connection, extended)
    return extended


def _column() -> pa.Column:
    return pa.Column(
        pl.String, nullable=True, required=False, description=ADDED_COMMENT, metadata={"missing": ("",), "added": True}
    )
