"""A whole selection as CSV, NDJSON, Parquet or an Arrow stream, a block at a time: memory stays constant.

Postgres writes the rows by COPY. For Parquet and Arrow its CSV is parsed by Arrow, so that no row is ever an object of
Python; moments are sent as microseconds, and what Arrow has no type for as text.
"""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from lastmile.warehouse.reading.formulas import inert
from lastmile.warehouse.reading.relations import FLOATS, MOMENTS, TEXTS, WHOLE, Selection

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = 256 * 2**10
#: CSV that is parsed at once: a row group of Parquet, a batch of Arrow.
_GROUP = 16 * 2**20

Format = Callable[[Connection, Selection, sql.Composable], Iterator[bytes]]
"""What makes a format: `tail` is what follows WHERE, such as an order."""


def csv(connection: Connection, selection: Selection, tail: sql.Composable) -> Iterator[bytes]:
    """With a header; texts that a spreadsheet would run as formulas have an apostrophe in front."""
    columns = selection.relation.columns
    shown = {name: inert(one) if columns[name].type in TEXTS else one for name, one in selection.columns.items()}
    yield from _blocks(_copied(connection, _query(selection, shown, tail), "FORMAT csv, HEADER"), _BLOCK)


def ndjson(connection: Connection, selection: Selection, tail: sql.Composable) -> Iterator[bytes]:
    """An object a line, as in pages."""
    query = sql.SQL("SELECT row_to_json(shown)::text FROM ({}) AS shown").format(
        _query(selection, selection.columns, tail)
    )
    for block in _blocks(_copied(connection, query, "FORMAT text"), _BLOCK):
        yield block.replace(b"\\\\", b"\\")  # in JSON there is nothing else that the format escapes


def parquet(connection: Connection, selection: Selection, tail: sql.Composable) -> Iterator[bytes]:
    from pyarrow.parquet import ParquetWriter

    sink = _Sink()
    with ParquetWriter(sink, _schema(selection), compression="zstd") as writer:
        for table in _tables(connection, selection, tail):
            writer.write_table(table)
            yield from sink.written()
    yield from sink.written()


def arrow(connection: Connection, selection: Selection, tail: sql.Composable) -> Iterator[bytes]:
    """The streaming format of Arrow IPC."""
    from pyarrow.ipc import new_stream

    sink, schema = _Sink(), _schema(selection)
    with new_stream(sink, schema) as writer:
        for table in _tables(connection, selection, tail):
            writer.write_table(table, 65_536)
            yield from sink.written()
    yield from sink.written()


FORMATS: Mapping[str, Format] = {
    "text/csv": csv,
    "application/x-ndjson": ndjson,
    "application/vnd.apache.parquet": parquet,
    "application/vnd.apache.arrow.stream": arrow,
}


def _query(selection: Selection, shown: Mapping[str, sql.Composable], tail: sql.Composable) -> sql.Composed:
    columns = [sql.SQL("{} AS {}").format(one, sql.Identifier(name)) for name, one in shown.items()]
    return sql.SQL("SELECT {} FROM {} AS t WHERE {}{}").format(
        sql.SQL(", ").join(columns), selection.relation.source, selection.where, tail
    )


def _copied(connection: Connection, query: sql.Composable, how: str) -> Iterator[bytes]:
    """Row by row: a message of the protocol is a row."""
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT ({})").format(query, sql.SQL(how))) as copy,
    ):
        for row in copy:
            yield bytes(row)


def _blocks(rows: Iterator[bytes], size: int) -> Iterator[bytes]:
    block = bytearray()
    for row in rows:
        block += row
        if len(block) >= size:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _tables(connection: Connection, selection: Selection, tail: sql.Composable) -> "Iterator[pa.Table]":
    """A small one first, so that an answer begins soon."""
    from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

    schema, columns = _schema(selection), selection.relation.columns
    sent = {name: _sent(columns[name].type, one) for name, one in selection.columns.items()}
    convert = ConvertOptions(
        column_types={one.name: _parsed_as(one.type) for one in schema},
        null_values=[""],
        true_values=["t"],
        false_values=["f"],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    for block in _blocks(_copied(connection, _query(selection, sent, tail), "FORMAT csv"), _GROUP):
        read = ReadOptions(column_names=list(selection.columns), use_threads=False, block_size=len(block) + 1)
        parse = ParseOptions(newlines_in_values=True)
        yield read_csv(BytesIO(block), read, parse, convert).cast(schema)


def _sent(kind: str, shown: sql.Composable) -> sql.Composable:
    """Moments without an end are none."""
    if kind in MOMENTS:
        finite = sql.SQL("CASE WHEN isfinite({0}) THEN {0} END").format(shown)
        return finite if kind == "date" else sql.SQL("(extract(epoch FROM {}) * 1000000)::bigint").format(finite)
    if kind == "character":
        return sql.SQL("({})::text").format(shown)
    return shown


def _schema(selection: Selection) -> "pa.Schema":
    import pyarrow as pa

    columns = selection.relation.columns
    return pa.schema([(name, _arrow(columns[name].type)) for name in selection.columns])


def _arrow(kind: str) -> "pa.DataType":
    import pyarrow as pa

    if kind in WHOLE:
        return pa.int64()
    if kind in FLOATS or kind == "numeric":
        return pa.float64()
    if kind == "boolean":
        return pa.bool_()
    if kind == "date":
        return pa.date32()
    if kind in MOMENTS:
        return pa.timestamp("us", tz="UTC" if "with time zone" in kind else None)
    return pa.string()


def _parsed_as(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    return pa.int64() if pa.types.is_timestamp(kind) else kind


class _Sink:
    """A file that is only written: what it holds is handed on and forgotten."""

    closed = False

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        self._held.append(bytes(data))
        self._size += len(self._held[-1])
        return len(self._held[-1])

    def written(self) -> Iterator[bytes]:
        held, self._held = self._held, []
        if held:
            yield b"".join(held)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written is still to be handed on."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
