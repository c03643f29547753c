"""Columns that nobody declared, where a contract says to add them: they become text columns of the dataset's table."""

from collections.abc import Sequence
from dataclasses import replace

import pandera.polars as pa
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.contracts.declaration import headers
from lastmile.contracts.names import COLUMN_NAME, normal_name
from lastmile.contracts.types import kind_of
from lastmile.warehouse.tables import ADDED, columns, ensure_table

#: A table grows to this many columns. A row of Postgres has 8,160 bytes, of which a text, however short, may take 25.
WIDEST = 300


def grown(connection: Connection, contract: Contract, header: Sequence[str]) -> Contract:
    """The contract of a drop with this header, whose table has all of its columns.

    A pattern becomes the columns that fit it. Columns that nobody declared are added as text, where the contract says
    to add them. Those whose name cannot be a column's, or is not alone, or is that of a column of another type, or for
    which the table is too wide, stay unknown: they go to `_rescued` like anywhere else.
    """
    expanded = contract.expanded(header)
    new = {name: spec for name, spec in expanded.columns.items() if name not in contract.columns}
    if contract.policy.unknown_columns == "add":
        new |= {name: _column() for name in _unknown(expanded, header)}
    if not new:
        return expanded
    there = columns(connection, contract.name)
    room = max(WIDEST - len(there), 0)
    fresh = [name for name in new if name not in there][:room]
    added = {name: spec for name, spec in new.items() if name in fresh or there.get(name) == _postgres(spec)}
    declared = expanded.table.select_columns(list(contract.columns))
    larger = replace(contract, schema=declared.add_columns(added))
    ensure_table(connection, larger)
    return larger


def _unknown(contract: Contract, header: Sequence[str]) -> list[str]:
    known = {normal_name(name) for name, _ in headers(contract.columns)}
    names = [normal_name(name) for name in header]
    return [name for name in names if name not in known and COLUMN_NAME.fullmatch(name) and names.count(name) == 1]


def _postgres(spec: pa.Column) -> str | None:
    kind = kind_of(spec)
    return kind.postgres if kind else None


def _column() -> pa.Column:
    return pa.Column(str, nullable=True, required=False, description=ADDED, metadata={"added": True})
