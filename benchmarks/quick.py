"""The whole job beside a bare COPY of the clean file, in minutes, from nothing but what is locked.

    python -m benchmarks.quick --rows 1000000 --rounds 5 --bad 0.01

COPY goes from the client's side into the table as the engine's is, with its columns and indexes, and into one without
any index; the whole job is the engine with every behaviour on. Ratios are medians over the rounds of the seconds
of a round in those of the COPY of the same round. Also written: `benchmarks/results/quick.json`.
"""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks import results
from benchmarks.comparing import Tally, copy, interleaved, ratio, whole_job
from benchmarks.site import BARE, SAME, opened
from benchmarks.survey import write


def main(
    rows: Annotated[int, typer.Option(help="Rows of the survey.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Times each is run, in turn.")] = 5,
    bad: Annotated[float, typer.Option(help="Share of rows that break a rule.")] = 0.01,
    to: Annotated[Path, typer.Option(help="File for the figures.")] = results.FOLDER / "quick.json",
) -> None:
    """Compares the whole job with a bare COPY, prints a table and writes the figures.

    Example: python -m benchmarks.quick --rows 100000 --rounds 3
    """
    console = results.screen(stderr=True)
    with TemporaryDirectory(prefix="lastmile-survey-") as folder, opened() as site:
        survey, clean = Path(folder) / "survey.csv", Path(folder) / "clean.csv"
        with console.status(f"making a survey of {rows:,} rows"):
            dirty = write(rows, bad, survey, clean)
        job = whole_job(site, survey, rows, dirty)
        same, bare = (copy(site, clean, rows - dirty, table) for table in (SAME, BARE))
        tallies = interleaved([same, bare, job], rounds, site, console)
        machine = results.machine(site.url)
    failed = [f"{name}: {tally.failed}" for name, tally in tallies.items() if tally.failed]
    if failed:
        raise SystemExit("\n".join(failed))
    ours, base = tallies[job.name], tallies[same.name]
    figures = {
        "whole_job_vs_copy": ratio(ours, base),
        "whole_job_vs_bare_copy": ratio(ours, tallies[bare.name]),
        "peak_mb": ours.median("peak_mb"),
        "rows": rows,
        "bad": dirty,
        "rounds": rounds,
        "costs": {name: [asdict(cost) for cost in tally.costs] for name, tally in tallies.items()},
        "machine": machine,
    }
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(figures, indent=1))
    title = f"{rows:,} rows, {dirty:,} of them bad, median of {rounds}"
    found = results.Found(title, [row(name, tally, base) for name, tally in tallies.items()])
    to.with_suffix(".md").write_text(f"{results.markdown(found)}\n{', '.join(machine.values())}\n")
    results.screen().print(results.table(found))


def row(name: str, tally: Tally, base: Tally) -> dict[str, object]:
    return {
        "what": name,
        "time, COPY = 1": ratio(tally, base),
        "seconds": tally.median("seconds"),
        "CPU s": tally.median("cpu"),
        "CPU s of Postgres": tally.median("server_cpu"),
        "CPU s of imports": tally.median("start_cpu"),
        "peak MB": tally.median("peak_mb"),
    }


if __name__ == "__main__":
    typer.run(main)
