"""`lastmile sample`: generated drops of a domain, into the landing area or into a folder to look at."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.sampling import Dirt, Truth
    from lastmile.sampling.sample import Done, Sample
    from lastmile.store import Store


def sample(
    name: Annotated[str | None, typer.Argument(help="Which sample (default: those of a first run)")] = None,
    size: Annotated[
        int | None, typer.Option(help="How much of what the sample counts, see --list (default: the sample's)")
    ] = None,
    partitions: Annotated[
        str | None, typer.Option(help="Such as 2021, 2019-2023 or 2024-01-01:2024-03-31 (default: the sample's)")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 7,
    dirt: Annotated[str, typer.Option(help="usual, none, heavy, or the share of bad rows, such as 0.02.")] = "usual",
    to: Annotated[Path | None, typer.Option(help="A new folder to write to, instead of the landing area.")] = None,
    available: Annotated[bool, typer.Option("--list", help="List the samples there are, and make none.")] = False,
) -> None:
    """Generate drops of a domain, clean or with known faults, and put them into the landing area.

    What ingesting them must give, drop by drop, is written to a file next to them, never among them.

    Example: lastmile sample household_survey --size 20000 --partitions 2021-2023 --dirt heavy
    """
    settings, console = Settings.from_environment(), Console()
    samples = _samples(settings)
    if available:
        for one in samples.values():
            about = f"{one.description}; --size {one.size} {one.counted}, --partitions {one.partitions}"
            console.print(f"{one.name}: {about}", highlight=False, soft_wrap=True)
        return
    faults = _dirt(dirt)
    chosen = [_named(samples, name)] if name else [one for one in samples.values() if one.first_run]
    if not chosen:
        raise UserError(f"say which sample; {_known(samples)}")
    if len(chosen) > 1 and to is not None:
        raise UserError(f"--to takes one sample: say which; {_known(samples)}")
    for one in chosen:
        _make(settings, console, one, size, partitions, seed, faults, to)


def fill_empty_landing(_settings: Settings, store: "Store") -> None:
    """Put the samples of a first run where nothing has landed yet, unless their datasets have no contract.

    Made in a process of its own, whose memory is free again when the work begins.
    """
    from lastmile.store.landing import LANDING

    if next(iter(store.list(LANDING)), None) is None:
        subprocess.run([sys.executable, "-m", "lastmile.cli.sample"], check=True)


def _make(
    settings: Settings,
    console: Console,
    chosen: "Sample",
    size: int | None,
    partitions: str | None,
    seed: int,
    dirt: "Dirt",
    to: Path | None,
) -> None:
    from lastmile.contracts.loading import load_contracts
    from lastmile.operations.samples import expect_partitions, land, write_of
    from lastmile.store import open_store

    write = write_of(chosen, size, partitions, seed, dirt)
    if to is None:
        expect_partitions(chosen, partitions, load_contracts(settings.assets))
    with _progress() as done:
        truth = land(open_store(settings), write, done) if to is None else write(_empty(to), done)
    sidecar = settings.home / "sample" / f"{chosen.name}.json" if to is None else to.with_name(f"{to.name}-truth.json")
    truth.save(sidecar)
    _print(console, chosen, truth, sidecar, str(to or settings.store_url))


def _print(console: Console, made: "Sample", truth: "Truth", sidecar: Path, where: str) -> None:
    rows = truth.rows()
    console.print(
        f"{made.name}: {len(truth.drops):,} drops are in {where}: {rows['read']:,} rows, "
        f"of which {rows['quarantined']:,} are bad and {rows['duplicate']:,} repeated",
        soft_wrap=True,
    )
    console.print(f"what ingesting them must give is in {sidecar}", soft_wrap=True)


@contextmanager
def _progress() -> Iterator["Done"]:
    console = Console(stderr=True)
    if not console.is_interactive:
        yield lambda drops: None
        return
    with Progress(*Progress.get_default_columns()[:1], "{task.completed:,} drops", console=console) as progress:
        bar = progress.add_task("generating", total=None)
        yield lambda drops: progress.advance(bar, len(drops))


def _samples(settings: Settings) -> "dict[str, Sample]":
    from lastmile.sampling.sample import load_samples

    return load_samples(settings.assets)


def _named(samples: "dict[str, Sample]", name: str) -> "Sample":
    if name not in samples:
        raise UserError(f"no sample {name!r}; {_known(samples)}")
    return samples[name]


def _known(samples: "dict[str, Sample]") -> str:
    return f"there are: {', '.join(samples)}" if samples else "no domain declares one"


def _dirt(text: str) -> "Dirt":
    from lastmile.sampling import Dirt

    named = {"usual": Dirt(), "none": Dirt.none(), "heavy": Dirt.heavy()}
    if text in named:
        return named[text]
    if not re.fullmatch(r"\d*\.?\d+", text):
        raise UserError(f"dirt {text!r}: expected usual, none, heavy, or a share of bad rows such as 0.02")
    try:
        return Dirt.of(float(text))
    except ValueError as error:
        raise UserError(str(error)) from None


def _empty(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not an empty folder; name a new one with --to")
    return folder


def _first_run() -> None:
    from lastmile.contracts.loading import load_contracts
    from lastmile.operations.samples import missing_datasets

    settings, console = Settings.from_environment(), Console()
    contracts = load_contracts(settings.assets)
    fitting = [one for one in _samples(settings).values() if one.first_run and not missing_datasets(one, contracts)]
    if not fitting:
        console.print("nothing has landed yet; put files there with `lastmile drop`")
    for one in fitting:
        console.print(f"nothing has landed yet: generating a sample, {one.description}")
        sample(one.name)


if __name__ == "__main__":
    _first_run()
