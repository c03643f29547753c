"""What does a cell cost in a wide file? As many cells in few columns as in thousands, all but 25 of them undeclared.

The answers are short, a third of them blank: what a column costs weighs most where its cells weigh least. Readers only
read; they are shown for the size of the task.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.bench import Bench
from benchmarks.comparing import PEERS, Contender, Tally, interleaved, whole_job
from benchmarks.environments import python_for
from benchmarks.measuring import Failed
from benchmarks.results import Found, Row
from benchmarks.survey import COLUMNS
from benchmarks.surveys import Survey

WIDTHS = (25, 250, 1_000, 3_000, 5_000)
#: Cells for each row of the usual survey: six million, where that has a million rows.
CELLS_A_ROW = 6
ANSWERS = ("yes", "no", "sometimes", "3", "12.5", "0", "Maize, beans", "2019-04-01", *[""] * 4)
READERS = {"pandas.read_csv": "read_csv_pandas.py", "DuckDB read_csv": "read_csv_duckdb.py"}


def run(bench: Bench) -> list[Found]:
    cells = bench.rows * CELLS_A_ROW
    rows, per_cell = [], 0.0
    for width in WIDTHS:
        survey = _widened(bench.surveys.of(max(1, cells // width), bad=0), width)
        job = whole_job(bench.site, survey, f"the whole job, {width:,} columns")
        tallies = interleaved([job, *_readers(survey.file)], bench.rounds, bench.site, bench.console)
        survey.file.unlink()
        ours = tallies[job.name]
        per_cell = per_cell or _per_cell(ours, survey, width)
        rows += [_row(name, width, survey, tally, per_cell) for name, tally in tallies.items()]
    return [Found(f"{cells:,} cells in more and more columns, median of {bench.rounds}", rows)]


def _readers(file: Path) -> Iterator[Contender]:
    for name, script in READERS.items():
        try:
            python = python_for(PEERS / script)
        except Failed:
            continue
        yield Contender(name, [python, PEERS / script, file], lambda: None)


def _per_cell(tally: Tally, survey: Survey, width: int) -> float:
    """Microseconds of CPU, the server's too, a cell."""
    return tally.all_cpu / (survey.rows * width) * 1e6


def _row(name: str, width: int, survey: Survey, tally: Tally, base: float) -> Row:
    if tally.failed:
        return {"what": name, "columns": width, "note": f"failed: {tally.failed}"}
    return {
        "what": name.partition(",")[0],
        "columns": width,
        "rows": survey.rows,
        "CPU a cell, 25 columns = 1": _per_cell(tally, survey, width) / base,
        "seconds": tally.median("seconds"),
        "CPU s": tally.median("cpu"),
        "CPU s of Postgres": tally.median("server_cpu"),
        "peak MB": tally.median("peak_mb"),
        "MB of imports": tally.median("start_mb"),
    }


def _widened(survey: Survey, width: int) -> Survey:
    """The survey with columns added up to this width."""
    file = survey.file.with_stem(f"{survey.file.stem}-{width}")
    draw = random.Random(7)  # noqa: S311
    names = [f"answer_{number}" for number in range(width - len(COLUMNS))]
    answers = {name: draw.choices(ANSWERS, k=survey.rows) for name in names}
    pl.read_csv(survey.file, infer_schema=False).hstack(pl.DataFrame(answers)).write_csv(file)
    return Survey(file, survey.clean, survey.rows, survey.bad)
