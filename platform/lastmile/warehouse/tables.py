"""The table of a dataset, created from its contract and evolved with it: `raw.<dataset>`.

Columns are only ever added or widened. What a newer contract no longer declares stays, for the rows that have it. A
text column that was added for an undeclared header may be declared with any type later: its values then return to
`_rescued`, from where they can be filled in.
"""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import Connection, sql

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.warehouse.provenance import PROVENANCE

_WIDENINGS = {("bigint", "double precision")}
#: A double represents every integer up to this one exactly.
_LARGEST_EXACT = 2**53
#: The comment on a column that no contract declared; stored in tables, so it must not change.
ADDED_COMMENT = "Added because a drop brought it."


def ensure_table(connection: Connection, contract: Contract) -> None:
    """Create or extend `raw.<dataset>`. Idempotent, and safe to run concurrently.

    Raises UserError where a column exists in a type that its contract's type does not widen.
    """
    table = sql.Identifier("raw", contract.name)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"raw.{contract.name}"])
        if not column_types(connection, contract.name):
            types = _declared(contract) | {name: column.postgres for name, column in PROVENANCE.items()}
            defined = [_definition(name, kind) for name, kind in types.items()]
            connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(defined)))
        _add_and_widen(connection, contract, table)
        _comment(connection, contract, table)
        _index(connection, contract, table)


def _declared(contract: Contract) -> dict[str, str]:
    return {name: contract.kinds[name].postgres for name in contract.columns}


def _definition(name: str, kind: str) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))


def column_types(connection: Connection, table: str) -> dict[str, str]:
    """Postgres type by column name of `raw.<table>`; empty where there is no such table."""
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [f"raw.{table}"],
    )
    return dict(found.fetchall())


def _add_and_widen(connection: Connection, contract: Contract, table: sql.Identifier) -> None:
    existing, declared = column_types(connection, contract.name), _declared(contract)
    changed = {name: (existing[name], kind) for name, kind in declared.items() if existing.get(name, kind) != kind}
    comments = _comments(connection, contract) if changed else {}
    undeclared = [name for name, (old, _) in changed.items() if old == "text" and comments.get(name) == ADDED_COMMENT]
    for name, change in changed.items():
        if name not in undeclared:
            _check_widening(connection, contract.name, name, change)
    for name in undeclared:
        _rescue(connection, table, name)
    added = [
        sql.SQL("ADD COLUMN {}").format(_definition(name, declared[name])) for name in declared if name not in existing
    ]
    widened = [
        sql.SQL("ALTER COLUMN {} TYPE {}{}").format(
            sql.Identifier(name), sql.SQL(kind), sql.SQL(" USING NULL" if name in undeclared else "")
        )
        for name, (_, kind) in changed.items()
    ]
    if widened:
        _alter_under_views(connection, contract, table, added + widened)
    elif added:
        try:
            _alter(connection, table, added)
        except psycopg.errors.TooManyColumns as error:
            raise _too_wide(contract, existing, len(added)) from error


def _too_wide(contract: Contract, existing: Mapping[str, str], added: int) -> UserError:
    left = len(existing.keys() - contract.columns.keys() - PROVENANCE.keys())
    return UserError(
        f"raw.{contract.name} has {left:,} columns that are no longer declared, or were dropped, and its contract"
        f" declares {added:,} new ones: a table of Postgres has at most 1,600 columns in its life. Declare fewer, the"
        " others are kept in `_rescued`; or declare a dataset of another name"
    )


def _check_widening(connection: Connection, dataset: str, column: str, change: tuple[str, str]) -> None:
    """Raises UserError where values could not stay what they are."""
    found = f"column {column} of raw.{dataset} is {change[0]} and its contract now says {change[1]}"
    instead = (
        f"keep the old type; or declare a column of another name with {column!r} among its aliases, and re-ingest the"
        f" drops with `lastmile backfill --dataset {dataset} --redo`"
    )
    if change not in _WIDENINGS:
        raise UserError(f"{found}, which could change values it has: {instead}")
    (too_large,) = connection.execute(
        sql.SQL("SELECT min({0}) FROM {1} WHERE {0} NOT BETWEEN %s AND %s").format(
            sql.Identifier(column), sql.Identifier("raw", dataset)
        ),
        [-_LARGEST_EXACT, _LARGEST_EXACT],
    ).fetchall()[0]
    if too_large is not None:
        raise UserError(f"{found}, which cannot hold {too_large} and perhaps more of its values exactly: {instead}")


def _rescue(connection: Connection, table: sql.Identifier, column: str) -> None:
    connection.execute(
        sql.SQL(
            "UPDATE {0} SET _rescued = coalesce(_rescued, '{{}}') || jsonb_build_object({1}, {2}) WHERE {2} IS NOT NULL"
        ).format(table, column, sql.Identifier(column))
    )


def _alter(connection: Connection, table: sql.Identifier, changes: list[sql.Composed]) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(table, sql.SQL(", ").join(changes)))


def _alter_under_views(
    connection: Connection, contract: Contract, table: sql.Identifier, changes: list[sql.Composed]
) -> None:
    """Change types of columns that views use, which Postgres refuses: drop the views and recreate them."""
    views = connection.execute(
        "SELECT DISTINCT n.nspname, v.relname, pg_get_viewdef(v.oid) FROM pg_depend d"
        " JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'"
        " JOIN pg_namespace n ON n.oid = v.relnamespace"
        " WHERE d.refobjid = to_regclass(%s)",
        [f"raw.{contract.name}"],
    ).fetchall()
    try:
        for schema, view, _ in views:
            connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view)))
        _alter(connection, table, changes)
    except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.FeatureNotSupported) as error:
        raise UserError(
            f"a column of raw.{contract.name} must become wider, and {error.diag.message_detail}: drop that first"
        ) from None
    for schema, view, definition in views:
        connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(sql.Identifier(schema, view), sql.SQL(definition)))


def _comment(connection: Connection, contract: Contract, table: sql.Identifier) -> None:
    """Write the contract's comments where they differ: each write takes a lock that vacuum must wait for."""
    existing = _comments(connection, contract)
    if existing.get("") != contract.description:
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, contract.description))
    for name, description in descriptions(contract).items():
        if existing.get(name) != description:
            column = sql.Identifier("raw", contract.name, name)
            connection.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(column, description))


def _comments(connection: Connection, contract: Contract) -> dict[str, str]:
    """Comment by column, that of the table itself under the empty name."""
    found = connection.execute(
        "SELECT coalesce(attname, ''), description FROM pg_description LEFT JOIN pg_attribute"
        " ON attrelid = objoid AND attnum = objsubid AND attnum > 0"
        " WHERE objoid = to_regclass(%s) AND classoid = 'pg_class'::regclass",
        [f"raw.{contract.name}"],
    )
    return dict(found.fetchall())


def descriptions(contract: Contract) -> dict[str, str]:
    """What each column is, with its unit."""
    units = {name: contract.metadata(name).get("unit") for name in contract.columns}
    return {
        name: f"{spec.description or ''}{f' Unit: {units[name]}.' if units[name] else ''}"
        for name, spec in contract.columns.items()
    }


def _index(connection: Connection, contract: Contract, table: sql.Identifier) -> None:
    """Index drops and partitions, and the key, which the tables of large drops need as well."""
    ensure_index(connection, table, ("_drop_id", "_partition_start"))
    if ensure_index(connection, table, contract.key):
        drop_tables = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [table.as_string(connection)],
        )
        for (name,) in drop_tables.fetchall():
            ensure_index(connection, sql.Identifier(*name.split(".")), contract.key)


def ensure_index(connection: Connection, table: sql.Identifier, columns: Sequence[str]) -> bool:
    """Index these columns unless an index exists; returns whether one was created."""
    found = connection.execute(
        "SELECT array_agg(attname::text ORDER BY position) FROM pg_index,"
        " unnest(indkey::smallint[]) WITH ORDINALITY AS part (number, position), pg_attribute"
        " WHERE indrelid = to_regclass(%s) AND attrelid = indrelid AND attnum = part.number GROUP BY indexrelid",
        [table.as_string(connection)],
    )
    if not columns or list(columns) in [existing for (existing,) in found.fetchall()]:
        return False
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(table, names))
    return True
