"""What is made at the source: a publication of the table, and the slot at which the database keeps its log for us.

The name of a slot has a random end and is written down before the slot is made: two installations never share one, and
none is forgotten at the source, where it would fill the disk.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.sources.changes import lsn
from lastmile.sources.changes.positions import Position
from lastmile.sources.declarations.changes import Changes

#: Since when publications name their columns and may have filters.
_WITH_COLUMNS = 15_00_00


@dataclass(frozen=True)
class SourceColumn:
    """A column as it is sent. `category` is that of its type, of its elements' type where it is a list."""

    name: str
    type: int
    category: str
    is_array: bool


def expect_logical(connection: Connection) -> None:
    """Raises UserError where the database cannot be followed at all."""
    (level,) = _one(connection, "SELECT current_setting('wal_level')")
    if level != "logical":
        raise UserError(
            f"the source's database has wal_level = {level}, and its changes are only in the log where it is logical:"
            " ALTER SYSTEM SET wal_level = 'logical', and restart it"
        )


def end_of_log(connection: Connection) -> int:
    (position,) = _one(
        connection,
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text",
    )
    return lsn.number(position)


def new_slot(source: Changes) -> str:
    return f"lastmile_{source.name[:40]}_{secrets.token_hex(4)}"


def identity_of(connection: Connection, source: Changes) -> tuple[int, str]:
    """The table's number, and by what updates and deletes name its rows. Raises UserError where there is no table."""
    schema, table = source.qualified
    row = connection.execute(
        """
        SELECT c.oid, relreplident::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = %s AND relname = %s AND relkind IN ('r', 'p')
        """,
        [schema, table],
    ).fetchone()
    if row is None:
        raise UserError(f"source {source.name}: the database has no table {schema}.{table}, or the user may not see it")
    return row[0], row[1]


def expect_followable(connection: Connection, source: Changes, key: Sequence[str]) -> None:
    """Raises UserError where updates and deletes would not say which row they are about."""
    (schema, table), (oid, identity) = source.qualified, identity_of(connection, source)
    if source.only_inserts or identity == "f":
        return
    which = "indisprimary" if identity == "d" else "indisreplident"
    (columns,) = _one(
        connection,
        f"""
        SELECT coalesce(array_agg(attname::text), '{{}}') FROM pg_index JOIN pg_attribute ON attrelid = indrelid
         AND attnum = ANY(indkey) WHERE indrelid = {oid} AND {which}
        """
        if identity != "n"
        else "SELECT '{}'::text[]",
    )
    if set(columns) == set(key):
        return
    found = f"its replica identity is {sorted(columns)}" if columns else "it has no replica identity"
    raise UserError(
        f"source {source.name}: the contract's key is {list(key)} of {schema}.{table}, and {found}, by which updates"
        f" and deletes name their row: ALTER TABLE {schema}.{table} REPLICA IDENTITY FULL, or make {list(key)} its"
        " primary key; where its rows are only added, say only_inserts=True"
    )


def ensure_publication(connection: Connection, source: Changes) -> str:
    """The name of a publication that has the table. Raises UserError where there is none and none may be made."""
    schema, table = source.qualified
    name = source.publication or f"lastmile_{source.name}"
    exists = connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [name]).fetchone()
    if not exists and source.publication:
        raise UserError(
            f"source {source.name}: there is no publication {name!r}; CREATE PUBLICATION {name} FOR TABLE {table}"
        )
    if not exists:
        _make_publication(connection, source, name)
    elif not connection.execute(
        "SELECT 1 FROM pg_publication_tables WHERE (pubname, schemaname, tablename) = (%s, %s, %s)",
        [name, schema, table],
    ).fetchone():
        raise UserError(f"source {source.name}: publication {name!r} has no {schema}.{table}; add it, or drop it")
    return name


def _make_publication(connection: Connection, source: Changes, name: str) -> None:
    published = "insert, truncate" if source.only_inserts else "insert, update, delete, truncate"
    statement = sql.SQL(
        "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = {}, publish_via_partition_root = true)"
    ).format(sql.Identifier(name), sql.Identifier(*source.qualified), sql.Literal(published))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise UserError(
            f"source {source.name}: the user may not make a publication ({error.diag.message_primary}): let an owner of"
            f" the table run `{statement.as_string(connection)}`, and name it as `publication`"
        ) from None
    except psycopg.errors.DuplicateObject:  # made meanwhile
        return


def columns(connection: Connection, source: Changes, publication: str | None) -> list[SourceColumn]:
    """The columns that a publication sends, in their order; before there is one, those of the table."""
    schema, table = source.qualified
    attnames, published = None, "attgenerated = ''"
    if publication and connection.info.server_version >= _WITH_COLUMNS:
        attnames, rowfilter = _one(
            connection,
            """
            SELECT attnames::text[], rowfilter FROM pg_publication_tables
            WHERE (pubname, schemaname, tablename) = (%s, %s, %s)
            """,
            [publication, schema, table],
        )
        if rowfilter:
            raise UserError(f"source {source.name}: publication {publication!r} leaves out rows; use one without WHERE")
        published = "attname::text = ANY(%(attnames)s)"
    found = connection.execute(
        f"""
        SELECT attname::text, atttypid::bigint FROM pg_attribute
        WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped AND {published} ORDER BY attnum
        """.encode(),
        {"table": sql.Identifier(schema, table).as_string(connection), "attnames": attnames},
    ).fetchall()
    return described(connection, found)


def described(connection: Connection, columns: Sequence[tuple[str, int]]) -> list[SourceColumn]:
    """Columns by name and type, with what is known of the type below its domains; of one that is gone, nothing."""
    found = connection.execute(
        """
        WITH RECURSIVE types AS (
            SELECT wanted, wanted AS type FROM unnest(%s::bigint[]) wanted
            UNION ALL
            SELECT wanted, typbasetype::bigint FROM types JOIN pg_type ON oid = type::oid WHERE typtype = 'd'
        )
        SELECT wanted, type, t.typcategory::text, e.typcategory::text FROM types
        JOIN pg_type t ON t.oid = type::oid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE t.typtype <> 'd'
        """,
        [list({kind for _, kind in columns})],
    ).fetchall()
    kinds = {wanted: (kind, element or category, category == "A") for wanted, kind, category, element in found}
    return [SourceColumn(name, *kinds.get(kind, (kind, "S", False))) for name, kind in columns]


def expect_slot(connection: Connection, source: Changes, position: Position, now: str) -> int:
    """The process that uses the slot, 0 where there is none. Raises UserError where its log cannot be had any more."""
    anew = f"load all rows anew with `lastmile source run {source.name} --snapshot`"
    if position.system != now:
        raise UserError(
            f"source {source.name}: the database is another cluster than the one that was followed (restored, or"
            f" moved): positions in its log mean nothing there; {anew}"
        )
    row = connection.execute(
        """
        SELECT wal_status, confirmed_flush_lsn::text, coalesce(active_pid, 0), database = current_database()
        FROM pg_replication_slots WHERE slot_name = %s
        """,
        [position.slot],
    ).fetchone()
    if row is None:
        raise UserError(
            f"source {source.name}: its slot {position.slot} was dropped at the source, so the changes since"
            f" {lsn.text(position.lsn or 0)} cannot be had; {anew}"
        )
    status, confirmed, pid, is_here = row
    if status == "lost" or not is_here:
        raise UserError(
            f"source {source.name}: the database gave up the log that it kept at the slot {position.slot} (past its"
            f" max_slot_wal_keep_size), so the changes since {lsn.text(position.lsn or 0)} cannot be had; {anew}"
        )
    if position.lsn is not None and confirmed and lsn.number(confirmed) > position.lsn:
        raise UserError(
            f"source {source.name}: its slot {position.slot} was moved to {confirmed} by another program, past"
            f" {lsn.text(position.lsn)}, up to where changes are loaded; {anew}"
        )
    return int(pid)


def release(connection: Connection, process: int) -> None:
    """End a process that still sends to a reader of ours who is gone: who calls this holds the source's lock."""
    connection.execute("SELECT pg_terminate_backend(%s, 5000)", [process])


def drop_slot(connection: Connection, slot: str) -> None:
    """So that the database keeps no log for us; nothing where it is gone already."""
    row = connection.execute(
        "SELECT coalesce(active_pid, 0) FROM pg_replication_slots WHERE slot_name = %s", [slot]
    ).fetchone()
    if row is None:
        return
    if row[0]:
        release(connection, row[0])
    connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])


def drop_publication(connection: Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))


def _one(connection: Connection, query: str, values: Sequence[object] = ()) -> tuple[str, ...]:
    row = connection.execute(query.encode(), values or None).fetchone()
    if row is None:
        raise UserError("the source's database gave no answer to a query of its catalogue")
    return row
