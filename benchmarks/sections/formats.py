"""What does each format cost, in time and memory? The same survey as CSV, gzipped CSV, JSON Lines and Parquet.

In Parquet numbers and dates are typed, but for the column that has words among its numbers.
"""

import gzip
import shutil
from pathlib import Path

import polars as pl

from benchmarks.bench import Bench, row
from benchmarks.comparing import interleaved, whole_job
from benchmarks.results import Found


def run(bench: Bench) -> list[Found]:
    survey = bench.surveys.of(bench.rows)
    with bench.console.status("writing the survey in other formats"):
        files = {"CSV": survey.file, **_written(survey.file)}
    jobs = {name: whole_job(bench.site, survey, name, file) for name, file in files.items()}
    tallies = interleaved(list(jobs.values()), bench.rounds, bench.site, bench.console)
    rows = [
        row(name, tally, tallies["CSV"], base="CSV") | {"file, MB": files[name].stat().st_size / 1e6}
        for name, tally in tallies.items()
    ]
    return [Found(f"{bench.rows:,} rows by format, median of {bench.rounds}", rows)]


def _written(csv: Path) -> dict[str, Path]:
    files = {
        name: csv.with_suffix(suffix)
        for name, suffix in (("CSV, gzip", ".csv.gz"), ("JSON Lines", ".jsonl"), ("Parquet", ".parquet"))
    }
    with csv.open("rb") as plain, gzip.open(files["CSV, gzip"], "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    words = {"maize_kg": pl.String}
    pl.scan_csv(csv, schema_overrides=words).sink_ndjson(files["JSON Lines"])
    pl.scan_csv(csv, schema_overrides=words, try_parse_dates=True).sink_parquet(files["Parquet"])
    return files
