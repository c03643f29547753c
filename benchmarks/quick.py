"""The whole job compared with a bare COPY of the clean file, in minutes, from nothing but what is locked.

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
from benchmarks.bench import row
from benchmarks.comparing import copy, interleaved, ratio, whole_job
from benchmarks.site import BARE, SAME, opened
from benchmarks.surveys import Surveys


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
        survey = Surveys(Path(folder), console).of(rows, bad)
        same, bare, job = copy(site, survey, SAME), copy(site, survey, BARE), whole_job(site, survey)
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
        "bad": survey.bad,
        "rounds": rounds,
        "costs": {name: [asdict(cost) for cost in tally.costs] for name, tally in tallies.items()},
        "machine": machine,
    }
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(figures, indent=1))
    title = f"{rows:,} rows, {survey.bad:,} of them bad, median of {rounds}"
    found = results.Found(title, [row(name, tally, base) for name, tally in tallies.items()])
    to.with_suffix(".md").write_text(f"{results.markdown(found)}\n{', '.join(machine.values())}\n")
    results.screen().print(results.table(found))
    summary = "The whole job takes {whole_job_vs_copy:.2f} times a COPY into the same table"
    summary += ", {whole_job_vs_bare_copy:.2f} times one into a bare table; its peak is {peak_mb:,.0f} MB."
    results.screen().print(summary.format(**figures), highlight=False)


if __name__ == "__main__":
    typer.run(main)
