"""`lastmile sample`: made-up drops of any size, straight into the landing area or into a folder to look at."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.store.landing import LANDING

if TYPE_CHECKING:
    from lastmile.sampling import Dirt, Drop, Truth
    from lastmile.store import Store

HOUSEHOLDS, SEED, YEARS, INVOICES = 3000, 7, "2019-2023", 50


def sample(
    households: Annotated[
        int, typer.Option(help="Households in all surveys; 10 million take no more memory.")
    ] = HOUSEHOLDS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = SEED,
    years: Annotated[str, typer.Option(help="Survey years, such as 2021 or 2019-2023.")] = YEARS,
    dirt: Annotated[str, typer.Option(help="usual, none, heavy, or the share of bad rows, such as 0.02.")] = "usual",
    surveys: Annotated[
        int | None, typer.Option(help="Number of surveys; if not given, they have 100 to 1,000 households each.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="A new folder to write to, instead of the landing area.")] = None,
    shop: Annotated[
        str | None, typer.Option(help="Instead: days of an online shop, such as 2024-03-01 or 2024-01-01:2024-03-31.")
    ] = None,
    invoices: Annotated[int, typer.Option(help="With --shop: invoices a day, of 22 lines each.")] = INVOICES,
) -> None:
    """Make drops in the shape of RHoMIS surveys, clean or with known faults, and put them into the landing area.

    What taking them must give, drop by drop, is written to a file beside them, never among them.

    Example: lastmile sample --households 20000 --years 2021-2023 --dirt heavy
    """
    from assets.household_survey.sample import generate
    from assets.retail.sample import generate_shop
    from lastmile.store import open_store

    settings, console = Settings.from_environment(), Console()
    make: Make
    with _mistakes_told():
        faults = _dirt(dirt)
        if shop is None:
            wanted = _years(years)
            size, name, spans = households, "truth", {table: (str(wanted[0]), str(wanted[-1])) for table in _tables()}
            make = partial(generate, households=households, seed=seed, years=wanted, dirt=faults, surveys=surveys)
        else:
            days = _days(shop)
            size, name, spans = len(days), "shop-truth", {"retail_lines": (str(days[0]), str(days[-1]))}
            make = partial(generate_shop, days=days, invoices=invoices, seed=seed, dirt=faults)
        if to is None:
            _check_partitions(settings, spans)
        with _progress(size) as done:
            truth = _land(open_store(settings), make, done) if to is None else make(_empty(to), done=done)
    sidecar = settings.home / "sample" / f"{name}.json" if to is None else to.with_name(f"{to.name}-truth.json")
    _tell(truth, sidecar, str(to or settings.store_url), console)


def fill_empty_landing(_settings: Settings, store: "Store") -> None:
    """Put the usual sample where nothing has landed yet, unless the contracts are of other datasets.

    Made in a process of its own, whose memory is free again when the work begins.
    """
    if next(iter(store.list(LANDING)), None) is None:
        subprocess.run([sys.executable, "-m", "lastmile.cli.sample"], check=True)


Done = Callable[[int, "Iterable[Drop]"], None]
#: Writes a sample to a folder, and says what is done as it goes.
Make = Callable[..., "Truth"]


def _land(store: "Store", make: Make, done: Done) -> "Truth":
    """Put the drops into the landing area; only one survey or day at a time takes room on the disk."""
    with TemporaryDirectory() as folder:

        def put(size: int, drops: "Iterable[Drop]") -> None:
            for drop in drops:
                file = Path(folder, drop.key)
                store.put(LANDING + drop.key, file)
                file.unlink()
            done(size, drops)

        return make(Path(folder), done=put)


def _tell(truth: "Truth", sidecar: Path, where: str, console: Console) -> None:
    truth.save(sidecar)
    rows = truth.rows()
    who = f"{truth.households:,} households" if truth.households else "a shop"
    console.print(
        f"{len(truth.drops):,} drops of {who} are in {where}: {rows['read']:,} rows, "
        f"of which {rows['quarantined']:,} are bad and {rows['duplicate']:,} repeated",
        soft_wrap=True,
    )
    console.print(f"what taking them must give is in {sidecar}", soft_wrap=True)


@contextmanager
def _progress(size: int) -> Iterator[Done]:
    console = Console(stderr=True)
    if not console.is_interactive:
        yield lambda part, drops: None
        return
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("making the sample", total=size)
        yield lambda part, drops: progress.advance(bar, part)


@contextmanager
def _mistakes_told() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from None


def _years(text: str) -> range:
    found = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if first > last:
        raise ValueError(f"years {text!r}: expected one year such as 2021, or the first and last such as 2019-2023")
    return range(first, last + 1)


def _days(text: str) -> list[date]:
    first, _, last = text.partition(":")
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        start, end = date.max, date.min
    if start > end:
        raise ValueError(
            f"days {text!r}: expected one such as 2024-03-01, or the first and last such as 2024-01-01:2024-03-31"
        )
    return [start + timedelta(number) for number in range((end - start).days + 1)]


def _dirt(text: str) -> "Dirt":
    from lastmile.sampling import Dirt

    named = {"usual": Dirt(), "none": Dirt.none(), "heavy": Dirt.heavy()}
    if text in named:
        return named[text]
    if not re.fullmatch(r"\d*\.?\d+", text):
        raise ValueError(f"dirt {text!r}: expected usual, none, heavy, or a share of bad rows such as 0.02")
    return Dirt.of(float(text))


def _tables() -> Set[str]:
    try:
        from assets.household_survey.sample.shape import TABLES
    except ModuleNotFoundError:  # a project of other domains
        return {"household surveys"}
    return TABLES.keys()


def _without_contract(settings: Settings, tables: Set[str]) -> list[str]:
    from lastmile.contracts.loading import load_contracts

    return sorted(tables - load_contracts(settings.assets).keys())


def _check_partitions(settings: Settings, spans: Mapping[str, tuple[str, str]]) -> None:
    """Raises ValueError where the contracts have no such dataset, or it has not the first or the last partition."""
    from lastmile.contracts.loading import load_contracts

    missing = _without_contract(settings, spans.keys())
    if missing:
        raise ValueError(f"the contracts of {settings.assets} have no dataset {', '.join(missing)}; use --to FOLDER")
    contracts = load_contracts(settings.assets)
    for name, span in spans.items():
        for partition in span:
            contracts[name].partition.window(partition)


def _empty(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not an empty folder; name a new one with --to")
    return folder


def _first_sample() -> None:
    settings, console = Settings.from_environment(), Console()
    if _without_contract(settings, _tables()):
        console.print("nothing has landed yet; put files there with `lastmile drop`")
        return
    console.print("nothing has landed yet: making a sample of household surveys")
    sample()


if __name__ == "__main__":
    _first_sample()
