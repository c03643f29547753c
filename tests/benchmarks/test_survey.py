"""The survey that benchmarks load."""

from pathlib import Path

import pytest

from benchmarks.survey import SURVEY, write
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write(3_000, 0.1, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("bad", [0.0, 0.01, 0.5])
def test_the_intake_sets_aside_as_many_rows_as_were_made_bad(tmp_path: Path, bad: float) -> None:
    survey, clean = tmp_path / "survey.csv", tmp_path / "clean.csv"
    made_bad = write(3_000, bad, survey, clean)
    assert made_bad == pytest.approx(3_000 * bad, rel=0.3)
    assert _bad_rows(survey) == made_bad
    assert _bad_rows(clean) == 0
    assert len(clean.read_text().splitlines()) == 1 + 3_000 - made_bad


def _bad_rows(file: Path) -> int:
    reader = open_drop(file, file.name, SURVEY)
    plan = Plan(SURVEY, reader.header)
    return sum(plan.validate(batch).bad.height for batch in reader.batches())
