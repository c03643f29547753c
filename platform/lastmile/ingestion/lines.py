"""Some lines of a drop read once more: to release or correct their rows, or for their texts."""

from collections.abc import Iterator, Sequence

import polars as pl

from lastmile.ingestion.batch import RawBatch, Reader


def raw_texts(reader: Reader, lines: pl.Series) -> pl.DataFrame:
    """The source text of the records on these lines, as the columns `line` and `raw`; nothing is read behind them."""
    found: dict[int, str] = {}
    last = max(lines)
    for batch in reader.batches():
        some = _restricted_batch(batch, lines)
        texts = some.raw(range(some.frame.height))
        found |= zip(some.lines, texts, strict=True)
        found |= {record.line: record.raw for record in some.broken}
        if batch.frame.height and batch.lines[-1] >= last:
            break
    return pl.DataFrame(
        {"line": list(found), "raw": list(found.values())}, schema={"line": pl.UInt64, "raw": pl.String}
    )


def only_lines(reader: Reader, lines: Sequence[int]) -> Reader:
    """The reader with only the records on these lines."""
    wanted = pl.Series(lines, dtype=pl.UInt64)

    def produce(rows: int) -> Iterator[RawBatch]:
        for batch in reader.batches(rows):
            restricted = _restricted_batch(batch, wanted)
            if restricted.records:
                yield restricted

    return Reader(reader.format, reader.header, produce)


def _restricted_batch(batch: RawBatch, wanted: pl.Series) -> RawBatch:
    is_wanted = batch.lines.is_in(wanted.implode())
    kept = is_wanted.arg_true()
    lines = set(wanted)
    return RawBatch(
        batch.frame.filter(is_wanted),
        batch.lines.filter(is_wanted),
        lambda positions: batch.raw(kept.gather(list(positions)).to_list()),
        [record for record in batch.broken if record.line in lines],
        faults=[fault for fault in batch.faults if fault.line in lines],
    )
