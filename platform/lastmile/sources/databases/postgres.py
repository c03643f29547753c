"""Postgres by ADBC: rows come as Arrow, by binary COPY, batch by batch.

Numbers, booleans and texts come as they are. Everything else comes as the text that Postgres writes, which loses
nothing: a numeric keeps its digits, a timestamp may be `infinity`. Lists come as JSON, bytes as `\\x00ff`, timestamps
with a zone in UTC with a Z behind them.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

from lastmile.sources.databases.adbc import AdbcReading
from lastmile.sources.databases.addresses import unreachable
from lastmile.sources.databases.reading import Column, refused

_AS_THEY_ARE = {"int2", "int4", "int8", "bool", "float8", "text", "varchar", "name"}
_NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8", "oid"}
#: The same texts whatever the server's settings are.
_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
_BATCH_BYTES = 4 * 2**20


@contextmanager
def reading_postgres(url: str) -> Iterator["PostgresReading"]:
    """See `reading`."""
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc

    try:
        connection = adbc.connect(url)
    except adbc_driver_manager.Error as error:
        raise unreachable(url, error) from None
    with closing(connection), connection.cursor() as cursor:
        try:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for name, value in _SETTINGS.items():
                cursor.execute(f"SET LOCAL {name} = '{value}'")
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            yield PostgresReading(cursor)
        except adbc_driver_manager.Error as error:
            raise refused(error, url) from None


class PostgresReading(AdbcReading):
    """A transaction of isolation REPEATABLE READ: all of it sees one moment."""

    is_at_one_moment = True

    def columns(self, query: str) -> list[Column]:
        return [
            Column(field.name, kind, _expression(self.name(field.name), kind), kind in _NUMBERS)
            for field in self._cursor.adbc_execute_schema(query)
            for kind in [field.metadata[b"POSTGRESQL:type"].decode()]
        ]

    def literal(self, value: str, column: Column) -> str:
        if column.is_number and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return value
        return "'" + value.replace("'", "''") + "'"


def _expression(name: str, kind: str) -> str:
    if kind in _AS_THEY_ARE:
        return name
    if kind == "timestamptz":
        return f"CASE WHEN isfinite({name}) THEN timezone('UTC', {name})::text || 'Z' ELSE {name}::text END"
    if kind.startswith("_"):
        return f"to_json({name})::text"
    return f"{name}::text"
