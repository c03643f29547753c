"""What a Parquet file may hold: checked by what it states before it is unpacked, and by what it holds as it is read.

A file of a kilobyte may stand for terabytes: one long text, written once, in a million rows, or a million values in one
row. So texts are read as numbers into their dictionary, and a batch has as many rows as may be once they are written
out.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers.compression import check_unpacked
from lastmile.ingestion.readers.delimited.records import Numbers
from lastmile.ingestion.readers.parquet.footer import Group
from lastmile.ingestion.readers.parquet.texts import is_binary, is_text, storage

#: Bytes of the description at a file's end, which is held whole, several times over.
LONGEST_FOOTER = 32 * 2**20
#: Bytes of text in a batch, by which the number of its rows is cut.
LARGEST_BATCH = 64 * 2**20
#: A text of more bytes is counted as unpacked each time it is written out; shorter ones repeat in good files too.
LONG = 1_000
#: Values inside others that a row group, which may be one row, may have in a column; and what each counts as, in bytes.
MOST_INSIDE, VALUE = 16 * 2**20, 8


def check_footer(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        size = int.from_bytes(file.read(4), "little")
    if LONGEST_FOOTER < size < path.stat().st_size:
        raise Refused(
            f"expected a Parquet file with at most {LONGEST_FOOTER:,} bytes about its columns and row groups, found "
            f"{size:,}. Write it with larger row groups and fewer columns."
        )


def check_stated(metadata: Any, groups: Sequence[Group], packed: int, limits: Limits) -> None:
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
    chunks = (chunk for group in groups for chunk in group.chunks)
    inside = max((chunk.values for chunk in chunks if "." in chunk.path), default=0)
    if inside > MOST_INSIDE:
        raise Refused(
            f"expected at most {MOST_INSIDE:,} values inside others in a row group, found {inside:,}. Write smaller "
            "row groups."
        )
    check_unpacked(sum(group.total_bytes for group in groups), packed, "parquet", limits)


def bounded(batch: Any, sizes: Numbers, first: int, limits: Limits) -> Iterator[Any]:
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


def has_texts(kind: Any) -> bool:
    """Whether values of this type may be texts, or hold any; of others `text_bytes` finds none."""
    import pyarrow as pa

    return not pa.types.is_primitive(kind)


def text_bytes(column: Any, value: int = 0) -> Numbers:
    """Bytes that the texts of each row take, those inside others too; there numbers and the like take `value`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = storage(column)
    kind = column.type
    if pa.types.is_dictionary(kind):
        numbers = _filled(column.indices, -1)
        lengths: Numbers = np.append(text_bytes(column.dictionary), 0)[numbers]
        return lengths + value
    if is_text(kind) or is_binary(kind):
        return _filled(pc.binary_length(column), 0).astype(np.int64) + value
    if pa.types.is_map(kind):
        return _of_each(text_bytes(column.keys, VALUE) + text_bytes(column.items, VALUE), column.offsets.to_numpy())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _of_each(text_bytes(column.values, VALUE), column.offsets.to_numpy())
    if pa.types.is_fixed_size_list(kind):
        offsets = kind.list_size * np.arange(column.offset, column.offset + len(column) + 1)
        return _of_each(text_bytes(column.values, VALUE), offsets)
    if pa.types.is_struct(kind):
        return total([text_bytes(part, VALUE) for part in column.flatten()], len(column))
    return np.full(len(column), value, np.int64)


def _filled(numbers: Any, value: int) -> Numbers:
    """Of an array of numbers, with the value in place of nulls."""
    filled: Numbers = (numbers.fill_null(value) if numbers.null_count else numbers).to_numpy(zero_copy_only=False)
    return filled


def _of_each(inside: Numbers, offsets: Numbers) -> Numbers:
    """The sum of what is inside each row, from where it starts to where the next does."""
    before = np.append(0, np.cumsum(inside))
    return np.asarray(before[offsets[1:]] - before[offsets[:-1]], np.int64)


def total(columns: Sequence[Numbers], rows: int) -> Numbers:
    return sum(columns, np.zeros(rows, np.int64))
