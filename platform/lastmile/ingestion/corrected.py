"""Corrected cells in place of those read, before a batch is validated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from lastmile.ingestion.batch import RawBatch


def with_corrections(batch: RawBatch, cells: Mapping[int, Mapping[str, str]]) -> RawBatch:
    """The batch with corrected cells, by line and header, in place of those read, and without their faults.

    A record that could not be split into fields becomes a row of the cells given for it. `raw` stays the source text.
    """
    header = set(batch.frame.columns)
    cells = {line: values for line, values in cells.items() if values.keys() <= header}
    rows = [(place, cells[line]) for place, line in enumerate(batch.lines.to_list()) if line in cells] if cells else []
    broken = [record for record in batch.broken if record.line in cells]
    frame = batch.frame.with_columns(
        batch.frame[name].scatter([place for place, values in rows if name in values], changed)
        for name in batch.frame.columns
        if (changed := [values[name] for _, values in rows if name in values])
    )
    faults = [fault for fault in batch.faults if fault.column not in cells.get(fault.line, ())]
    if not broken:
        return replace(batch, frame=frame, faults=faults) if rows else batch
    added = pl.DataFrame([dict(cells[record.line]) for record in broken], schema=frame.schema)
    lines = pl.concat([batch.lines, pl.Series(batch.lines.name, [record.line for record in broken], pl.UInt64)])
    order = lines.arg_sort()
    sources = order.to_list()

    def raw(positions: Sequence[int]) -> list[str]:
        found = [sources[position] for position in positions]
        texts = iter(batch.raw([source for source in found if source < frame.height]))
        return [next(texts) if source < frame.height else broken[source - frame.height].raw for source in found]

    left = [record for record in batch.broken if record.line not in cells]
    return RawBatch(pl.concat([frame, added])[order], lines.gather(order), raw, left, batch.nul_free, faults)
