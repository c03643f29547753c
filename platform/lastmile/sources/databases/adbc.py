"""Any database for which an ADBC driver is installed, by its name: `sqlite`, `duckdb`, `snowflake`, `flightsql`, ...

An address is the name of the driver and what its `connect` expects: `sqlite:/data/shop.db`. Values are as the driver
gives them.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any

import pyarrow as pa

from lastmile.errors import UserError
from lastmile.sources.databases.addresses import unreachable
from lastmile.sources.databases.reading import Column, refused


@contextmanager
def reading_adbc(driver: str, url: str) -> Iterator["AdbcReading"]:
    """See `reading`."""
    try:
        adbc = import_module(f"adbc_driver_{driver}.dbapi")
        errors = import_module("adbc_driver_manager").Error
    except ModuleNotFoundError:
        raise UserError(
            f"no driver for addresses that begin with {driver}: expected postgresql://, mysql:// or the name of an ADBC"
            f" driver that is installed; `pip install adbc-driver-{driver}`"
        ) from None
    try:
        connection = adbc.connect(url.partition(":")[2])
    except errors as error:
        raise unreachable(url, error) from None
    with closing(connection), connection.cursor() as cursor:
        try:
            yield AdbcReading(cursor)
        except errors as error:
            raise refused(error, url) from None


class AdbcReading:
    """What the driver's transactions promise, is not known."""

    is_at_one_moment = False

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def columns(self, query: str) -> list[Column]:
        self._cursor.execute(f"SELECT * FROM ({query}) lastmile_columns LIMIT 0")
        schema = self._cursor.fetch_arrow_table().schema
        return [Column(field.name, str(field.type), self.name(field.name), _is_number(field.type)) for field in schema]

    def values(self, query: str) -> tuple[object, ...]:
        self._cursor.execute(query)
        row: tuple[object, ...] = self._cursor.fetchone()
        return row

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        self._cursor.execute(query)
        yield from self._cursor.fetch_record_batch()

    def name(self, *parts: str) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)

    def literal(self, value: str, column: Column) -> str:
        return value if column.is_number else "'" + value.replace("'", "''") + "'"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
