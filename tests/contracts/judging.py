"""A table as the intake sees it, judged by its contract without a database."""

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lastmile.contracts import Contract
from lastmile.ingestion.batch import RawBatch, ValidatedBatch
from lastmile.ingestion.validation import Plan


def read(file: Path) -> pl.DataFrame:
    """Every cell as text, as readers give it."""
    return pl.read_csv(file, infer_schema=False)


def judge(contract: Contract, frame: pl.DataFrame) -> ValidatedBatch:
    """Lines are positions in the frame, raw texts the first cells."""

    def raw(places: Sequence[int]) -> list[str]:
        return [str(frame[place, 0]) for place in places]

    return Plan(contract, frame.columns).validate(RawBatch(frame, pl.Series(range(frame.height), dtype=pl.UInt64), raw))


def reasons(judged: ValidatedBatch) -> list[set[str]]:
    """For each bad row, `column rule` or the name of the rule across columns, for all that it broke."""
    rows = [json.loads(text) for text in judged.bad["reasons"]]
    return [{" ".join(filter(None, (reason["column"], reason["rule"]))) for reason in row} for row in rows]
