"""Typed frames into a Postgres table by binary COPY.

Arrow memory is encoded as Postgres takes it, with no text between: half the server's work of a CSV COPY. The connection
is busy until the copy is left; an error inside it takes back all rows of this copy.
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

#: What a binary COPY starts with, without flags or extension, and what ends it: a row of -1 fields.
#: https://www.postgresql.org/docs/current/sql-copy.html
HEADER, TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


class BinaryCopy:
    """`types` are the columns to fill, exactly as the table has them: bigint as Int64, timestamptz as Datetime in UTC.

    Those named in `jsonb` are given as JSON text. Texts must be free of NUL characters. It may be entered again.
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
        """Rows as they are sent, without header and trailer; it may be asked for while no copy is under way."""
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in self._types.items())
        encoder = self._encoder()  # which keeps back what is little, so that each frame needs its own
        encoder.write_header()
        batches = _as_arrow(rows).to_batches()
        return [*map(encoder.write_batch, batches), encoder.finish().removesuffix(TRAILER)]

    def send(self, encoded: Iterable[bytes]) -> None:
        for batch in encoded:
            self._copy.write(memoryview(batch))  # which is cut into pieces without copying them

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._copy.write(TRAILER)
        self._open.__exit__(kind, error, trace)


def _as_arrow(frame: pl.DataFrame) -> "pa.Table":
    """Arrow as polars has it, but for times of day, which Postgres keeps to the microsecond."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    if pl.Time not in frame.dtypes:
        return table
    import pyarrow as pa

    of_times = {name: pa.time64("us") for name, dtype in frame.schema.items() if dtype == pl.Time}
    schema = pa.schema([field.with_type(of_times.get(field.name, field.type)) for field in table.schema])
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
