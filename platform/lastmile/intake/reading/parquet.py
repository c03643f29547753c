"""Parquet, row group by row group, every type as lossless text (timestamps of the old 96 bits to the microsecond)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from lastmile.contract import Contract
from lastmile.intake.batch import RawBatch, Refused, Unreadable
from lastmile.intake.reading.cells import cell_text, raw_rows
from lastmile.intake.reading.heading import named
from lastmile.intake.reading.reader import Reader
from lastmile.intake.validating.header import fit

#: Columns are read through a buffer of this many bytes, so that memory does not grow with the row group.
BUFFER = 2**20


def open_parquet(path: Path, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Lines are 1-based row numbers.

    Raises Refused where the columns do not fit, Unreadable where the file is damaged or encrypted.
    """
    with _readable():
        file = _open(path)
        names, row_groups = list(file.schema_arrow.names), file.metadata.num_row_groups
        file.close()
    fit(contract, names)
    header = named(names, contract)
    found |= {"format": "parquet", "row_groups": row_groups}
    return Reader(found, header, lambda rows: _batches(path, header, rows))


def _open(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        path, buffer_size=BUFFER, pre_buffer=False, page_checksum_verification=True, coerce_int96_timestamp_unit="us"
    )


@contextmanager
def _readable() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Unreadable(
            f"expected a Parquet file that is whole and not encrypted: {error}. Write and send it again."
        ) from error


def _batches(path: Path, header: list[str], rows: int) -> Iterator[RawBatch]:
    first = 1
    with _readable(), _open(path) as file:
        for batch in file.iter_batches(rows):
            frame = pl.DataFrame([_text(name, column) for name, column in zip(header, batch.columns, strict=True)])
            lines = pl.Series("line", range(first, first + frame.height), pl.UInt64)
            yield RawBatch(frame, lines, raw_rows(frame))
            first += frame.height


def _text(name: str, column: Any) -> pl.Series:
    """Timestamps with a zone are given in UTC, ending in Z. Raises Refused for bytes that are not UTF-8."""
    import pyarrow.types as types

    kind = column.type
    if types.is_dictionary(kind):
        return _text(name, column.dictionary_decode())
    if types.is_timestamp(kind):
        moments = pl.Series(name, pl.from_arrow(column)).dt.convert_time_zone("UTC")
        return moments.dt.to_string("%Y-%m-%dT%H:%M:%S%.f") + ("Z" if kind.tz else "")
    plain = (
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_date32,
        types.is_string,
        types.is_large_string,
    )
    if any(is_kind(kind) for is_kind in plain):
        return pl.Series(name, pl.from_arrow(column.cast("string")))
    return _one_by_one(name, column)


def _one_by_one(name: str, column: Any) -> pl.Series:
    try:
        return pl.Series(name, map(cell_text, column.to_pylist()), pl.String)
    except UnicodeDecodeError:
        raise Refused(
            f"column {name!r} holds bytes that are not UTF-8 text. Write it as text, or leave it out of the file."
        ) from None
