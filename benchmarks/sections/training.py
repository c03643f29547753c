"""How fast does a table become a frame to train on? All rows and the survey's 25 columns, from Postgres to memory.

Next to them, the cleaned Parquet file that the intake leaves in the store as well.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

from benchmarks.bench import Bench
from benchmarks.comparing import PEERS, PROJECT, Contender, Tally, copy, interleaved, whole_job
from benchmarks.environments import python_for
from benchmarks.measuring import Cost, Failed, measured
from benchmarks.results import Found
from benchmarks.site import BARE
from benchmarks.surveys import Survey

READERS = {
    "ADBC to polars": "read_adbc",
    "connectorx to polars": "read_connectorx",
    "DuckDB to Arrow": "read_duckdb",
    "COPY as CSV to polars": "read_copy_csv",
    "psycopg to pandas": "read_psycopg",
    "pandas.read_sql": "read_pandas_sql",
}


def run(bench: Bench) -> list[Found]:
    survey = bench.surveys.of(bench.rows)
    job, bare = whole_job(bench.site, survey), copy(bench.site, survey, BARE)
    job.before()
    for filling in (job, bare):
        measured(filling.command, filling.environment, folder=PROJECT)
    cleaned = Path(urlparse(bench.site.store_url).path) / "cleaned"
    readers: list[tuple[str, str, Sequence[str | Path]]] = [
        *((name, script, [bench.site.url, BARE]) for name, script in READERS.items()),
        ("cleaned Parquet to polars", "read_parquet", [cleaned]),
    ]
    missing, contenders = [], []
    for name, script, given in readers:
        try:
            contenders.append(_reader(name, PEERS / f"{script}.py", given, survey))
        except Failed as failed:
            missing.append({"what": name, "note": str(failed)})
    tallies = interleaved(contenders, bench.rounds, bench.site, bench.console)
    rows = [_row(name, tally) for name, tally in tallies.items()]
    return [Found(f"{survey.good:,} rows of 25 columns to a frame, median of {bench.rounds}", [*rows, *missing])]


def _reader(name: str, script: Path, given: Sequence[str | Path], survey: Survey) -> Contender:
    def check(cost: Cost) -> None:
        if cost.said["rows"] != survey.good:
            raise Failed(f"expected {survey.good:,} rows, found {cost.said['rows']:,}")

    return Contender(name, [python_for(script), script, *given], lambda: None, check)


def _row(name: str, tally: Tally) -> dict[str, object]:
    if tally.failed:
        return {"what": name, "note": f"failed: {tally.failed}"}
    return {
        "what": name,
        "seconds": tally.median("seconds"),
        "CPU s": tally.median("cpu"),
        "CPU s of Postgres": tally.median("server_cpu"),
        "peak MB": tally.median("peak_mb"),
    }
