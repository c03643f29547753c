"""All benchmarks, or those named: `python -m benchmarks peers growth --rounds 3`.

Each section prints its tables and writes them to `benchmarks/results/<section>.md` and `.json`.
"""

import importlib
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks import results
from benchmarks.bench import Bench
from benchmarks.site import opened
from benchmarks.surveys import Surveys

SECTIONS = (
    "peers", "growth", "dirt", "stores", "formats", "small", "imports", "sensor", "training", "wide", "profile",
    "tracing", "counting", "messages", "streams",
)  # fmt: skip


def main(
    sections: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(SECTIONS)}.")] = None,
    rounds: Annotated[int, typer.Option(help="Times each contender is run, in turn.")] = 3,
    rows: Annotated[
        int, typer.Option(help="Usual rows of the survey; others are fractions and multiples of it.")
    ] = 1_000_000,
) -> None:
    """Measures and prints tables, and writes them to benchmarks/results.

    Example: python -m benchmarks peers --rows 20000 --rounds 1
    """
    wanted = sections or list(SECTIONS)
    if unknown := set(wanted) - set(SECTIONS):
        raise typer.BadParameter(f"no section {', '.join(unknown)}; there are: {', '.join(SECTIONS)}")
    console = results.screen(stderr=True)
    with TemporaryDirectory(prefix="lastmile-surveys-") as folder, opened() as site:
        bench = Bench(site, Surveys(Path(folder), console), rows, rounds, console)
        machine = results.machine(site.url)
        for name in wanted:
            began = time.monotonic()
            console.rule(name)
            section = importlib.import_module(f"benchmarks.sections.{name}")
            results.publish(name, section.run(bench), machine, results.screen())
            console.print(f"{name}: {time.monotonic() - began:,.0f} s")


if __name__ == "__main__":
    typer.run(main)
