"""Parquet, row group by row group, every type as lossless text (timestamps of the old 96 bits to the microsecond)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.settings import Limits
from lastmile.contracts.types import Kind
from lastmile.ingestion.batch import RawBatch, Reader, Unreadable
from lastmile.ingestion.readers.cells import kinds_of, raw_rows
from lastmile.ingestion.readers.compression import check_unpacked
from lastmile.ingestion.readers.header import named
from lastmile.ingestion.readers.parquet.footer import BYTE_ARRAY, DELTA_BYTE_ARRAY, DICTIONARY, Group, row_groups
from lastmile.ingestion.readers.parquet.limits import (
    LARGEST_BATCH,
    LONG,
    VALUE,
    bounded,
    check_footer,
    check_stated,
    has_texts,
    text_bytes,
    total,
)
from lastmile.ingestion.readers.parquet.texts import is_text, may_have_nul, plain_texts, storage, texts
from lastmile.ingestion.validation.header_match import fit

#: Columns are read through a buffer of this many bytes, so that memory does not grow with the row group.
BUFFER = 2**17
#: Bytes a value takes at most where all of a column are numbers into its dictionary.
CODE = 4
#: Rows in a batch of a column whose texts are written as what differs from the text before, however long that is.
ROWS_OF_DELTAS = 16


def open_parquet(path: Path, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Lines are 1-based row numbers.

    Raises Refused where the columns do not fit or the limits are passed, Unreadable where it is damaged or encrypted.
    """
    check_footer(path)
    with _readable():
        file = _open(path)
        names, metadata = list(file.schema_arrow.names), file.metadata
        file.close()
        groups = row_groups(path)
        check_stated(metadata, groups, path.stat().st_size, contract.limits)
    fit(contract, names)
    header = named(names, contract)
    found |= {"format": "parquet", "row_groups": metadata.num_row_groups}
    kinds = kinds_of(header, contract)
    return Reader(found, header, lambda rows: _batches(path, header, kinds, contract.limits, rows))


def _open(path: Path, coded: Sequence[str] = (), metadata: Any = None) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        path,
        buffer_size=BUFFER,
        pre_buffer=False,
        page_checksum_verification=True,
        coerce_int96_timestamp_unit="us",
        read_dictionary=coded,
        metadata=metadata,
    )


@contextmanager
def _readable() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowMemoryError as error:  # of a number in it that is a lie: to others it would be a failure of ours
        raise _unreadable(str(error)) from None
    except (pa.ArrowException, OSError, ValueError, IndexError, KeyError) as error:
        raise _unreadable(str(error)) from error


def _unreadable(why: str) -> Unreadable:
    return Unreadable(f"expected a Parquet file that is whole and not encrypted: {why}. Write and send it again.")


def _batches(
    path: Path, header: Sequence[str], kinds: Mapping[str, Kind], limits: Limits, rows: int
) -> Iterator[RawBatch]:
    first, long = 1, 0
    with _readable():
        for whole in _arrow_batches(path, rows):
            columns = [text_bytes(column) for column in whole.columns if has_texts(column.type)]
            sizes = total(columns, whole.num_rows)
            long += sum(int(column[column > LONG].sum()) for column in columns)
            check_unpacked(long, path.stat().st_size, "parquet", limits)
            for batch in bounded(whole, sizes, first, limits):
                yield raw_batch(batch, header, kinds, first)
                first += batch.num_rows


def raw_batch(batch: Any, header: Sequence[str], kinds: Mapping[str, Kind], first: int) -> RawBatch:
    """The rows of an Arrow record batch as texts, the first of them on line `first`."""
    plain = plain_texts(header, batch.columns)
    found = [
        (plain[name], []) if name in plain else texts(name, column, kinds.get(name), first)
        for name, column in zip(header, batch.columns, strict=True)
    ]
    frame = pl.DataFrame([column for column, _ in found])
    lines = pl.Series("line", range(first, first + frame.height), pl.UInt64)
    faults = [fault for _, faults in found for fault in faults]
    nul_free = not any(map(may_have_nul, batch.columns))
    return RawBatch(frame, lines, raw_rows(frame), nul_free=nul_free, faults=faults)


def _arrow_batches(path: Path, rows: int) -> Iterator[Any]:
    """Each few row groups, in even batches, by a reader of their own: one keeps the dictionaries of all it has read."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())  # its own keeps 100 MB of what was freed
    with _open(path) as file:
        metadata, stated = file.metadata, file.schema_arrow
    groups = row_groups(path)
    coded, most = _coded(groups), min(rows, _rows_at_once(groups))
    of_text = [name for name, kind in zip(stated.names, stated.types, strict=True) if is_text(kind) and name in coded]
    for some in _in_few(groups, most):
        found = sum(groups[number].rows for number in some)
        batches = max(1, -(-found // most))
        spelt = _spelt_out(path, metadata, groups, some, of_text, most)
        with _open(path, [name for name in coded if name not in spelt], metadata) as file:
            # Columns read side by side take 50 MB more.
            yield from file.iter_batches(max(1, -(-found // batches)), row_groups=some, use_threads=False)
        pa.default_memory_pool().release_unused()


def _in_few(groups: Sequence[Group], rows: int) -> Iterator[list[int]]:
    """Row groups in their order, so many together that they have as many rows as a batch may."""
    some: list[int] = []
    found = 0
    for number, group in enumerate(groups):
        some.append(number)
        found += group.rows
        if found >= rows:
            yield some
            some, found = [], 0
    if some:
        yield some


def _coded(groups: Sequence[Group]) -> list[str]:
    """Paths of the columns of texts that are written as a dictionary and numbers into it."""
    chunks = (chunk for group in groups for chunk in group.chunks)
    paths = (chunk.path for chunk in chunks if chunk.physical_type == BYTE_ARRAY and chunk.encodings & DICTIONARY)
    return list(dict.fromkeys(paths))


def _spelt_out(
    path: Path, metadata: Any, groups: Sequence[Group], some: Sequence[int], coded: Sequence[str], rows: int
) -> set[str]:
    """Those of the columns of coded texts that are read as texts nonetheless, since most of their texts are written out
    and those in the dictionary are short. Read as numbers, all texts would go into a dictionary, anew for each batch.

    Arrow puts the whole dictionary of a row group before its first row, so that row shows the longest text in it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    suspected = {
        chunk.path
        for number in some
        for chunk in groups[number].chunks
        if chunk.path in coded and "." not in chunk.path and chunk.total_bytes > CODE * chunk.values
    }
    longest = dict.fromkeys(suspected, 0)
    with _open(path, coded, metadata) as file:
        for number in some if suspected else ():
            for batch in file.iter_batches(1, row_groups=[number], columns=list(suspected), use_threads=False):
                for name, column in zip(batch.schema.names, map(storage, batch.columns), strict=True):
                    is_coded = pa.types.is_dictionary(column.type)
                    most = pc.max(pc.binary_length(column.dictionary)).as_py() if is_coded else LARGEST_BATCH
                    longest[name] = max(longest[name], most or 0)
                break
    shortest = sorted(longest.items(), key=itemgetter(1))
    bytes_of_row = accumulate(most for _, most in shortest)
    return {name for (name, _), found in zip(shortest, bytes_of_row, strict=True) if found * rows <= LARGEST_BATCH}


def _rows_at_once(groups: Sequence[Group]) -> int:
    """So few that those of the widest row group stay near `LARGEST_BATCH`."""
    if any(DELTA_BYTE_ARRAY in chunk.encodings for group in groups for chunk in group.chunks):
        return ROWS_OF_DELTAS
    widths = [_bytes(group) / group.rows for group in groups if group.rows]
    return max(1, int(LARGEST_BATCH / max(widths, default=1)))


def _bytes(group: Group) -> int:
    """Of a row group unpacked, at least so many for each value."""
    return max(group.total_bytes, VALUE * sum(chunk.values for chunk in group.chunks))
