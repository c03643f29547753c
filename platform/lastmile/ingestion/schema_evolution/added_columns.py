"""Undeclared columns, where the contract says to add them: they become text columns of the dataset's table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pandera.polars as pa
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.contracts.headers import made_up
from lastmile.contracts.names import COLUMN_NAME, normal_name
from lastmile.contracts.types import kind_of
from lastmile.warehouse.tables import ADDED_COMMENT, column_types, ensure_table

#: Columns up to which a table is extended: a row of Postgres has 8,160 bytes, and even a short text may use 25.
MAX_TABLE_COLUMNS = 300
#: Names that a remark shows.
SHOWN = 5


def with_added_columns(connection: Connection, contract: Contract, header: Sequence[str]) -> Contract:
    """The contract of a drop with this header, whose table has all of its columns.

    A pattern becomes the columns that fit it. Undeclared columns are added as text, where the contract says
    to add them. Those whose name cannot be a column's, is repeated, or is that of a column of another type, or for
    which the table is too wide, stay unknown: their values are rescued.
    """
    expanded = contract.expanded(header)
    new = {name: spec for name, spec in expanded.columns.items() if name not in contract.columns}
    if contract.policy.unknown_columns == "add":
        new |= {name: added_column() for name in undeclared(expanded, header)}
    if not new:
        return expanded
    existing = column_types(connection, contract.name)
    room = max(MAX_TABLE_COLUMNS - len(existing), 0)
    fresh = [name for name in new if name not in existing][:room]
    added = {name: spec for name, spec in new.items() if name in fresh or existing.get(name) == _postgres(spec)}
    declared = expanded.table.select_columns(list(contract.columns))
    extended = replace(contract, schema=declared.add_columns(added))
    ensure_table(connection, extended)
    return extended


def without_room(connection: Connection, contract: Contract, rescued: Sequence[str]) -> str | None:
    """A remark on those of the rescued headers that the table, which drops may extend, had no room for."""
    existing = column_types(connection, contract.name)
    if len(existing) < MAX_TABLE_COLUMNS:
        return None
    left = [name for name in rescued if COLUMN_NAME.fullmatch(found := normal_name(name)) and found not in existing]
    more = f" and {len(left) - SHOWN:,} more" if len(left) > SHOWN else ""
    if not left:
        return None
    return (
        f"{len(left):,} new columns, {left[:SHOWN]}{more}, are kept in _rescued: raw.{contract.name} has the "
        f"{MAX_TABLE_COLUMNS:,} columns up to which drops extend it. Declare those that are worked with"
    )


def undeclared(contract: Contract, header: Sequence[str]) -> list[str]:
    """Names that columns for the unknown headers would have, where each can have one."""
    invented = made_up(header)
    names = [normal_name(name) for name in header if name not in invented]
    times, known = Counter(names), contract.headers.loose
    return [name for name in names if name not in known and COLUMN_NAME.fullmatch(name) and times[name] == 1]


def _postgres(spec: pa.Column) -> str | None:
    kind = kind_of(spec)
    return kind.postgres if kind else None


def added_column() -> pa.Column:
    """One that stands for an undeclared header."""
    return pa.Column(str, nullable=True, required=False, description=ADDED_COMMENT, metadata={"added": True})
