"""Rows with a cell that its reader could not give as the file has it: bad, whatever else they are."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from lastmile.ingestion.batch import CellFault, RawBatch, ValidatedBatch

Reasons = Mapping[int, list[dict[str, Any]]]


def with_faults(validated: ValidatedBatch, batch: RawBatch, columns: Mapping[str, str]) -> ValidatedBatch:
    """The batch with rows that have a fault among the bad ones, and every fault among the reasons of its row.

    `columns` gives the column of the contract that a header stands for.
    """
    reasons: dict[int, list[dict[str, Any]]] = {}
    for fault in batch.faults:
        reasons.setdefault(fault.line, []).append(_reason(fault, columns.get(fault.column, fault.column)))
    is_faulty = validated.valid["_line"].is_in(list(reasons))
    lines = validated.valid["_line"].filter(is_faulty)
    texts = batch.raw(batch.lines.search_sorted(lines).to_list())
    written = [json.dumps(reasons[line], ensure_ascii=False) for line in lines]
    rows = pl.DataFrame([lines.to_list(), texts, written], schema=validated.bad.schema)
    bad = pl.concat([_explained(validated.bad, reasons), rows]).sort("line", maintain_order=True)
    return ValidatedBatch(validated.valid.filter(~is_faulty), bad)


def _explained(bad: pl.DataFrame, reasons: Reasons) -> pl.DataFrame:
    """Bad rows with their faults after the rules they break."""
    texts = [
        json.dumps([*json.loads(text), *reasons[line]], ensure_ascii=False) if line in reasons else text
        for line, text in bad.select("line", "reasons").iter_rows()
    ]
    return bad.with_columns(pl.Series("reasons", texts, pl.String))


def _reason(fault: CellFault, column: str) -> dict[str, Any]:
    message = f"{column}: expected {fault.expected}; found {fault.found}"
    return {"column": column, "rule": fault.rule, "found": fault.found, "message": message}
