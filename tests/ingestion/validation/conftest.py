"""Small contracts and batches, and what became of each row."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from declaring import dataset
from hypothesis import settings

from lastmile.contracts import Contract
from lastmile.contracts.casts import NumberFormat
from lastmile.ingestion.batch import BrokenRecord, RawBatch, ValidatedBatch
from lastmile.ingestion.validation import Plan

Judge = Callable[..., ValidatedBatch]
settings.register_profile("busy machines", deadline=None)
settings.load_profile("busy machines")


@pytest.fixture(scope="session")
def make_contract() -> Callable[..., Contract]:
    def make(columns: dict[str, pa.Column], **more: Any) -> Contract:
        return dataset(columns, **more)

    return make


@pytest.fixture(scope="session")
def judge() -> Judge:
    def judge_cells(
        contract: Contract,
        cells: dict[str, Sequence[str | None]],
        broken: Sequence[BrokenRecord] = (),
        numbers: NumberFormat = NumberFormat(),  # noqa: B008  (it cannot be changed)
    ) -> ValidatedBatch:
        frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
        lines = pl.Series(range(2, frame.height + 2), dtype=pl.UInt64)
        batch = RawBatch(frame, lines, lambda positions: [f"row {position}" for position in positions], broken)
        return Plan(contract, frame.columns, numbers).validate(batch)

    return judge_cells


@pytest.fixture(scope="session")
def reasons() -> Callable[[ValidatedBatch], dict[int, list[dict[str, Any]]]]:
    def by_line(judged: ValidatedBatch) -> dict[int, list[dict[str, Any]]]:
        return {line: json.loads(found) for line, found in judged.bad.select("line", "reasons").iter_rows()}

    return by_line
