"""Exports as a table of another Postgres, in one transaction: all that changed is there, or nothing of it.

Which version of each window the table has is kept next to it, in `_exported` of the same schema, and commits with the
rows: killed at any moment, the next export goes on from what is really there.
"""

from contextlib import ExitStack

from psycopg import Connection, sql
from psycopg.errors import Error

from lastmile.errors import UserError
from lastmile.operations.exports.declaration import Export
from lastmile.operations.exports.source import Source, Version
from lastmile.warehouse.connections import connect


class Table:
    """The table of one export in the database of a target."""

    def __init__(self, url: str, export: Export) -> None:
        self._url, self._export = url, export
        self._schema, _, self._name = export.target_table.partition(".")
        self._table, self._exported = (
            sql.Identifier(self._schema, self._name),
            sql.Identifier(self._schema, "_exported"),
        )
        self._open = ExitStack()

    def __enter__(self) -> "Table":
        with ExitStack() as stack:
            self._target: Connection = stack.enter_context(connect(self._url))
            stack.enter_context(self._target.transaction())
            try:
                self._prepare()
            except Error as error:
                raise UserError(
                    f"export {self._export.name}: its target refuses what an export needs: {error}. Its role must be"
                    f" able to create the schema {self._schema} and tables in it."
                ) from error
            self._open = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.__exit__(*failure)  # type: ignore[arg-type]  # as `with` hands it over

    def versions(self) -> dict[str, str]:
        """The data version of each window that is there."""
        query = sql.SQL('SELECT "window", version FROM {} WHERE export = %s').format(self._exported)
        return dict(self._target.execute(query, [self._export.name]).fetchall())

    def shaped(self, source: Source) -> None:
        """Make the table, anew where its columns are not what they were: then all windows are exported again."""
        found = self._target.execute(
            "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [self._table.as_string(self._target)],
        ).fetchall()
        if found == source.shape:
            return
        if found:
            self._target.execute(sql.SQL("DROP TABLE {}").format(self._table))
        columns = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in source.shape]
        self._target.execute(sql.SQL("CREATE TABLE {} ({})").format(self._table, sql.SQL(", ").join(columns)))
        if self._export.window:
            column = sql.Identifier(self._export.window)
            self._target.execute(sql.SQL("CREATE INDEX ON {} ({})").format(self._table, column))
        self._target.execute(sql.SQL("DELETE FROM {} WHERE export = %s").format(self._exported), [self._export.name])

    def replace(self, connection: Connection, source: Source, window: str, version: Version) -> int:
        """Bytes that were sent."""
        self._delete(source, window)
        selection, columns = source.selection(window), sql.SQL(", ").join(map(sql.Identifier, source.relation.columns))
        read = sql.SQL("COPY (SELECT {} FROM {} AS t WHERE {}) TO STDOUT").format(
            columns, source.relation.source, selection.where
        )
        write, size = sql.SQL("COPY {} ({}) FROM STDIN").format(self._table, columns), 0
        with (
            connection.cursor() as reader,
            self._target.cursor() as writer,
            reader.copy(read) as rows,
            writer.copy(write) as sent,
        ):
            for row in rows:
                sent.write(row)
                size += len(row)
        self._target.execute(
            sql.SQL('INSERT INTO {} (export, "window", version, rows) VALUES (%s, %s, %s, %s)').format(self._exported),
            [self._export.name, window, version.digest, version.rows],
        )
        return size

    def remove(self, window: str, source: Source) -> None:
        self._delete(source, window)

    def _delete(self, source: Source, window: str) -> None:
        where = sql.SQL("{} = {}").format(source.window, sql.Literal(window))
        self._target.execute(sql.SQL("DELETE FROM {} WHERE {}").format(self._table, where))
        self._target.execute(
            sql.SQL('DELETE FROM {} WHERE export = %s AND "window" = %s').format(self._exported),
            [self._export.name, window],
        )

    def _prepare(self) -> None:
        """One export at a time; where versions of windows are kept."""
        self._target.execute("SELECT pg_advisory_xact_lock(hashtextextended('lastmile export', 0))")
        self._target.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
        self._target.execute(
            sql.SQL(
                'CREATE TABLE IF NOT EXISTS {} (export text, "window" text, version text NOT NULL,'
                ' rows bigint NOT NULL, exported_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (export, "window"))'
            ).format(self._exported)
        )
