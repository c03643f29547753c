"""MySQL and MariaDB by pymysql, row by row from the server, as the texts that it writes.

Nothing is interpreted: a bigint unsigned keeps its twenty digits, a decimal its zeros, and `0000-00-00` is what it is,
for the contract to judge. Bytes come as `\\x00ff`, bits as a number, timestamps in UTC with a Z behind them; a datetime
has no zone. A float comes as the double that it is, not as the six digits that MySQL shows.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa

from lastmile.errors import UserError
from lastmile.sources.databases.addresses import unreachable
from lastmile.sources.databases.reading import Column, refused

_PORT, _BINARY, _ROWS = 3306, 63, 5_000
#: How long the server waits for us while we write a batch.
_SECONDS = 600
_SESSION = (
    "SET SESSION time_zone = '+00:00'",
    f"SET SESSION net_write_timeout = {_SECONDS}",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


@contextmanager
def reading_mysql(url: str) -> Iterator["MySqlReading"]:
    """See `reading`."""
    import pymysql
    from pymysql.converters import encoders
    from pymysql.cursors import SSCursor

    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(set(options) - {"ssl_ca", "ssl_cert", "ssl_key", "ssl_disabled", "ssl_verify_cert"}):
        raise UserError(
            f"the address of a source's database has parameters {unknown}; known are ssl_ca, ssl_cert, ssl_key"
        )
    try:
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or _PORT,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.lstrip("/")) or None,
            charset="utf8mb4",
            conv=dict(encoders),
            connect_timeout=5,
            cursorclass=SSCursor,
            **options,
        )
    except pymysql.MySQLError as error:
        raise unreachable(url, error) from None
    with closing(connection):
        try:
            with connection.cursor() as cursor:
                for statement in _SESSION:
                    cursor.execute(statement)
            yield MySqlReading(connection)
        except pymysql.MySQLError as error:
            raise refused(error, url) from None


class MySqlReading:
    """A transaction with a consistent snapshot. Tables of engines without transactions are as they are meanwhile."""

    is_at_one_moment = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def columns(self, query: str) -> list[Column]:
        from pymysql.constants import FIELD_TYPE

        kinds = {number: name.lower() for name, number in vars(FIELD_TYPE).items() if name.isupper()}
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({query}) lastmile_columns LIMIT 0")
            fields = cursor._result.fields
            cursor.fetchall()
        return [_column(field, kinds.get(field.type_code, "unknown"), self.name(field.name)) for field in fields]

    def values(self, query: str) -> tuple[object, ...]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            row: tuple[object, ...] = cursor.fetchall()[0]
        return row

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            names = [field.name for field in cursor._result.fields]
            texts = [_text_of(field) for field in cursor._result.fields]
            while rows := cursor.fetchmany(_ROWS):
                yield _batch(names, texts, rows)

    def name(self, *parts: str) -> str:
        return ".".join("`" + part.replace("`", "``") + "`" for part in parts)

    def literal(self, value: str, column: Column) -> str:
        if column.is_number and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return value
        text = value.removesuffix("Z") if column.type in ("timestamp", "datetime") else value
        return f"_utf8mb4 x'{text.encode().hex()}'"  # whatever stands for itself under the server's sql_mode


def _column(field: Any, kind: str, name: str) -> Column:
    expression = {"float": f"({name} + 0E0)", "timestamp": f"CONCAT({name}, 'Z')"}.get(kind, name)
    numbers = ("tiny", "short", "int24", "long", "longlong", "decimal", "newdecimal", "float", "double", "year")
    return Column(field.name, kind, expression, kind in numbers)


def _batch(
    names: Sequence[str], texts: Sequence[Callable[[Any], str | None]], rows: Sequence[Sequence[Any]]
) -> pa.RecordBatch:
    columns = [
        pa.array(map(text, values), pa.string()) for text, values in zip(texts, zip(*rows, strict=True), strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names)


def _text_of(field: Any) -> Callable[[Any], str | None]:
    from pymysql.constants import FIELD_TYPE

    if field.type_code == FIELD_TYPE.BIT:
        return lambda value: None if value is None else str(int.from_bytes(value))
    return lambda value: "\\x" + value.hex() if isinstance(value, bytes) else value
