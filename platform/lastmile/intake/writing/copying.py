"""Typed frames into a Postgres table by binary COPY.

Arrow memory is encoded as Postgres takes it, with no text between: half the server's work of a CSV COPY. The connection
is busy until the copy is left; an error inside it takes back all rows of this copy.
"""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import polars as pl
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import StringViewEncoderBuilder
from pgpq.schema import Jsonb
from psycopg import Connection, sql


class BinaryCopy:
    """`types` are the columns to fill, exactly as the table has them: bigint as Int64, timestamptz as Datetime in UTC.

    Those named in `jsonb` are given as JSON text. Texts must be free of NUL characters.
    """

    def __init__(
        self,
        connection: Connection,
        table: sql.Identifier,
        types: Mapping[str, pl.DataType],
        jsonb: Collection[str] = (),
    ) -> None:
        self._types = types
        self._encoder = _encoder(types, jsonb)
        self._cursor = connection.cursor()
        self._statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            table, sql.SQL(", ").join(map(sql.Identifier, types))
        )
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._cursor)
        self._copy = self._open.enter_context(self._cursor.copy(self._statement))
        self._copy.write(self._encoder.write_header())
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Send rows; the frame may have more columns, in any order, of types that cast without loss."""
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in self._types.items())
        for batch in rows.to_arrow(compat_level=pl.CompatLevel.newest()).to_batches():
            self._copy.write(self._encoder.write_batch(batch))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._copy.write(self._encoder.finish())
        self._open.__exit__(kind, error, trace)


def _encoder(types: Mapping[str, pl.DataType], jsonb: Collection[str]) -> ArrowToPostgresBinaryEncoder:
    schema = pl.DataFrame(schema=dict(types)).to_arrow(compat_level=pl.CompatLevel.newest()).schema
    encoders = {
        field.name: StringViewEncoderBuilder.new_with_output(field, Jsonb())
        if field.name in jsonb
        else ArrowToPostgresBinaryEncoder.infer_encoder(field)
        for field in schema
    }
    return ArrowToPostgresBinaryEncoder.new_with_encoders(schema, encoders)
