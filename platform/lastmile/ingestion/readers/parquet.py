"""Parquet, row group by row group, every type as lossless text (timestamps of the old 96 bits to the microsecond).

A file of a kilobyte may stand for terabytes: one long text, written once, in a million rows, or a million values in one
row. So texts are read as numbers into their dictionary, and a batch has as many rows as may be once they are written
out.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.cells import cell_text, raw_rows
from lastmile.ingestion.readers.compression import check_unpacked
from lastmile.ingestion.readers.delimited.records import Numbers
from lastmile.ingestion.readers.header import named
from lastmile.ingestion.validation.header_match import fit

#: Columns are read through a buffer of this many bytes, so that memory does not grow with the row group.
BUFFER = 2**17
#: Bytes of the description at a file's end, which is held whole, several times over.
LONGEST_FOOTER = 32 * 2**20
#: Bytes of text in a batch, by which the number of its rows is cut.
LARGEST_BATCH = 64 * 2**20
#: A text of more bytes is counted as unpacked each time it is written out; shorter ones repeat in good files too.
LONG = 1_000
#: Values inside others that a row group, which may be one row, may have in a column; and what each counts as, in bytes.
MOST_INSIDE, VALUE = 16 * 2**20, 8
#: Rows in a batch of a column whose texts are written as what differs from the text before, however long that is.
ROWS_OF_DELTAS = 16


def open_parquet(path: Path, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Lines are 1-based row numbers.

    Raises Refused where the columns do not fit or the limits are passed, Unreadable where it is damaged or encrypted.
    """
    _check_footer(path)
    with _readable():
        file = _open(path)
        names, metadata = list(file.schema_arrow.names), file.metadata
        file.close()
    _check_sizes(metadata, path.stat().st_size, contract.limits)
    fit(contract, names)
    header = named(names, contract)
    found |= {"format": "parquet", "row_groups": metadata.num_row_groups}
    return Reader(found, header, lambda rows: _batches(path, header, contract.limits, rows))


def _check_footer(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        size = int.from_bytes(file.read(4), "little")
    if LONGEST_FOOTER < size < path.stat().st_size:
        raise Refused(
            f"expected a Parquet file with at most {LONGEST_FOOTER:,} bytes about its columns and row groups, found "
            f"{size:,}. Write it with larger row groups and fewer columns."
        )


def _check_sizes(metadata: Any, packed: int, limits: Limits) -> None:
    """By what the file says of itself, before anything of it is unpacked."""
    if metadata.num_columns > limits.columns:
        raise Refused(
            f"expected at most {limits.columns:,} columns, those inside others included, found "
            f"{metadata.num_columns:,}. Raise limits.columns in the contract if this is meant."
        )
    deepest = max((metadata.schema.column(n).path.count(".") for n in range(metadata.num_columns)), default=0)
    if deepest > limits.nesting:
        raise Refused(
            f"expected columns at most {limits.nesting:,} deep in each other, found {deepest:,}. Raise limits.nesting "
            "in the contract if this is meant."
        )
    if metadata.num_rows > limits.rows:
        raise Refused(
            f"expected at most {limits.rows:,} rows, found {metadata.num_rows:,}. Send smaller files, or raise "
            "limits.rows in the contract if this is meant."
        )
    inside = max((chunk.num_values for chunk in _chunks(metadata) if "." in chunk.path_in_schema), default=0)
    if inside > MOST_INSIDE:
        raise Refused(
            f"expected at most {MOST_INSIDE:,} values inside others in a row group, found {inside:,}. Write smaller "
            "row groups."
        )
    groups = (metadata.row_group(n) for n in range(metadata.num_row_groups))
    check_unpacked(sum(group.total_byte_size for group in groups), packed, "parquet", limits)


def _chunks(metadata: Any) -> Iterator[Any]:
    """Each column of each row group."""
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        yield from (row_group.column(number) for number in range(metadata.num_columns))


def _open(path: Path, texts: Sequence[str] = (), metadata: Any = None) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        path,
        buffer_size=BUFFER,
        pre_buffer=False,
        page_checksum_verification=True,
        coerce_int96_timestamp_unit="us",
        read_dictionary=texts,
        metadata=metadata,
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


def _batches(path: Path, header: list[str], limits: Limits, rows: int) -> Iterator[RawBatch]:
    first, long = 1, 0
    with _readable():
        for whole in _arrow_batches(path, rows):
            columns = [_sizes(column) for column in whole.columns]
            sizes = _total(columns, whole.num_rows)
            long += sum(int(column[column > LONG].sum()) for column in columns)
            check_unpacked(long, path.stat().st_size, "parquet", limits)
            for batch in _bounded(whole, sizes, first, limits):
                frame = pl.DataFrame([_text(name, column) for name, column in zip(header, batch.columns, strict=True)])
                lines = pl.Series("line", range(first, first + frame.height), pl.UInt64)
                yield RawBatch(frame, lines, raw_rows(frame))
                first += frame.height


def _arrow_batches(path: Path, rows: int) -> Iterator[Any]:
    """Each few row groups, in even batches, by a reader of their own: one keeps the dictionaries of all it has read."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())  # its own keeps 100 MB of what was freed
    with _open(path) as file:
        metadata = file.metadata
    texts, most = _texts(metadata), min(rows, _rows_at_once(metadata))
    for groups in _in_few(metadata, most):
        found = sum(metadata.row_group(number).num_rows for number in groups)
        batches = max(1, -(-found // most))
        with _open(path, texts, metadata) as file:
            # Columns read side by side take 50 MB more.
            yield from file.iter_batches(max(1, -(-found // batches)), row_groups=groups, use_threads=False)
        pa.default_memory_pool().release_unused()


def _in_few(metadata: Any, rows: int) -> Iterator[list[int]]:
    """Row groups in their order, so many together that they have as many rows as a batch may."""
    groups: list[int] = []
    found = 0
    for number in range(metadata.num_row_groups):
        groups.append(number)
        found += metadata.row_group(number).num_rows
        if found >= rows:
            yield groups
            groups, found = [], 0
    if groups:
        yield groups


def _texts(metadata: Any) -> list[str]:
    """Paths of the columns of texts that are written as a dictionary and numbers into it."""
    paths = (
        chunk.path_in_schema
        for chunk in _chunks(metadata)
        if chunk.physical_type == "BYTE_ARRAY" and any("DICTIONARY" in encoding for encoding in chunk.encodings)
    )
    return list(dict.fromkeys(paths))


def _rows_at_once(metadata: Any) -> int:
    """So few that those of the widest row group stay near `LARGEST_BATCH`."""
    if any("DELTA_BYTE_ARRAY" in chunk.encodings for chunk in _chunks(metadata)):
        return ROWS_OF_DELTAS
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    widths = [_bytes(group) / group.num_rows for group in groups if group.num_rows]
    return max(1, int(LARGEST_BATCH / max(widths, default=1)))


def _bytes(group: Any) -> int:
    """Of a row group unpacked, at least so many for each value."""
    values = sum(int(group.column(number).num_values) for number in range(group.num_columns))
    return max(int(group.total_byte_size), VALUE * values)


def _bounded(batch: Any, sizes: Numbers, first: int, limits: Limits) -> Iterator[Any]:
    """The batch in pieces whose texts take some `LARGEST_BATCH` once written out. Raises Refused for a long record."""
    if batch.num_rows and sizes.max() > limits.record_bytes:
        row = int(sizes.argmax())
        raise Refused(
            f"row {first + row}: expected records of at most {limits.record_bytes:,} bytes, found {int(sizes[row]):,}. "
            "Raise limits.cell_characters in the contract if this is meant."
        )
    piece = np.cumsum(sizes) // LARGEST_BATCH
    cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), batch.num_rows]
    for start, stop in pairwise(cuts):
        yield batch.slice(start, stop - start)


def _sizes(column: Any, value: int = 0) -> Numbers:
    """Bytes that the texts of each row take, those inside others too; there numbers and the like take `value`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        numbers = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        lengths: Numbers = np.append(_sizes(column.dictionary), 0)[numbers]
        return lengths + value
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return np.asarray(pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False), np.int64) + value
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        inside = column.keys if pa.types.is_map(kind) else column.values
        of_items = _sizes(column.items, VALUE) if pa.types.is_map(kind) else 0
        before = np.append(0, np.cumsum(_sizes(inside, VALUE) + of_items))
        offsets = column.offsets.to_numpy()
        return np.asarray(before[offsets[1:]] - before[offsets[:-1]], np.int64)
    if pa.types.is_struct(kind):
        return _total([_sizes(part, VALUE) for part in column.flatten()], len(column))
    return np.full(len(column), value, np.int64)


def _total(columns: Sequence[Numbers], rows: int) -> Numbers:
    return sum(columns, np.zeros(rows, np.int64))


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
