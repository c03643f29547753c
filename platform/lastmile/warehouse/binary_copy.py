"""Typed frames into a Postgres table by binary COPY.

Arrow memory is encoded in Postgres' own format, without text in between: half the server's work of a CSV COPY. The
connection is busy until the context exits; an error inside it discards all rows of this COPY.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import polars as pl
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import StringViewEncoderBuilder
from pgpq.schema import Jsonb
from psycopg import Connection, sql

if TYPE_CHECKING:
    import pyarrow as pa

#: Start of a binary COPY, without flags or extension, and its end: a row of -1 fields.
#: https://www.postgresql.org/docs/current/sql-copy.html
HEADER, TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


class BinaryCopy:
    """`types` are the columns to write, exactly as the table has them: bigint as Int64, timestamptz as Datetime in UTC.

    Those named in `jsonb` hold JSON text. Texts must not contain NUL characters. The context may be re-entered.
    """

    def __init__(
        self,
        connection: Connection,
        table: sql.Identifier,
        types: Mapping[str, pl.DataType],
        jsonb: Collection[str] = (),
    ) -> None:
        self._types = types
        self._encoder = _encoders(types, jsonb)
        self._connection = connection
        self._statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            table, sql.SQL(", ").join(map(sql.Identifier, types))
        )
        self._open = ExitStack()

    def __enter__(self) -> Self:
        cursor = self._open.enter_context(self._connection.cursor())
        self._copy = self._open.enter_context(cursor.copy(self._statement))
        self._copy.write(HEADER)
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Send rows; the frame may have more columns, in any order, of types that cast without loss."""
        self.send(self.encoded(frame))

    def encoded(self, frame: pl.DataFrame) -> Sequence[bytes]:
        """Rows in the wire format, without header and trailer; callable while no COPY is in progress."""
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in self._types.items())
        encoder = self._encoder()  # one a frame: an encoder buffers small batches
        encoder.write_header()
        batches = _as_arrow(rows).to_batches()
        return [*map(encoder.write_batch, batches), encoder.finish().removesuffix(TRAILER)]

    def send(self, encoded: Iterable[bytes]) -> None:
        for batch in encoded:
            self._copy.write(memoryview(batch))  # psycopg slices a memoryview without copying

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._copy.write(TRAILER)
        self._open.__exit__(kind, error, trace)


def _as_arrow(frame: pl.DataFrame) -> "pa.Table":
    """Arrow as polars has it, but for times of day, which Postgres keeps to the microsecond, and bytes, whose views
    cannot be encoded."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    if pl.Time not in frame.dtypes and pl.Binary not in frame.dtypes:
        return table
    import pyarrow as pa

    stored = {pl.Time(): pa.time64("us"), pl.Binary(): pa.large_binary()}
    others = {name: stored[dtype] for name, dtype in frame.schema.items() if dtype in stored}
    schema = pa.schema([field.with_type(others.get(field.name, field.type)) for field in table.schema])
    return table.cast(schema)


def _encoders(types: Mapping[str, pl.DataType], jsonb: Collection[str]) -> Callable[[], ArrowToPostgresBinaryEncoder]:
    schema = _as_arrow(pl.DataFrame(schema=dict(types))).schema
    encoders = {
        field.name: StringViewEncoderBuilder.new_with_output(field, Jsonb())
        if field.name in jsonb
        else ArrowToPostgresBinaryEncoder.infer_encoder(field)
        for field in schema
    }
    return lambda: ArrowToPostgresBinaryEncoder.new_with_encoders(schema, encoders)
