"""Rows that were discarded by decision: they stay out when their drop is ingested again."""

import json
from collections.abc import Mapping

import polars as pl

from lastmile.ingestion.batch import RawBatch, ValidatedBatch


def without_discarded(judged: ValidatedBatch, batch: RawBatch, discarded: Mapping[int, str]) -> ValidatedBatch:
    """The batch as judged, with those valid rows that are not wanted among the bad ones."""
    unwanted = judged.valid["_line"].is_in(list(discarded)) if discarded else None
    if unwanted is None or not unwanted.any():
        return judged
    lines = judged.valid["_line"].filter(unwanted)
    texts = batch.raw(batch.lines.search_sorted(lines).to_list())
    reasons = [_reason(discarded[line]) for line in lines]
    rows = pl.DataFrame([lines.to_list(), texts, reasons], schema=judged.bad.schema)
    return ValidatedBatch(
        judged.valid.filter(~unwanted), pl.concat([judged.bad, rows]).sort("line", maintain_order=True)
    )


def _reason(why: str) -> str:
    reason = {"column": None, "rule": "discarded", "found": None, "message": f"discarded by decision: {why}"}
    return json.dumps([reason], ensure_ascii=False)
