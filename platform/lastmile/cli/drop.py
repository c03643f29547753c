"""`lastmile drop`: put files into the landing area, under the keys from which the sensor takes them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from lastmile.cli.datasets import contract_of
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.store.landing import LANDING, is_unfinished, name_problem, printable

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract


def drop(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders whose inner paths are kept.")],
    dataset: Annotated[str, typer.Option(help="The dataset they belong to.")],
    partition: Annotated[str, typer.Option(help="Their partition, such as the survey year.")],
    name: Annotated[str | None, typer.Option("--as", help="Name in the landing area, for a single file.")] = None,
) -> None:
    """Put files into the landing area. The same name with other bytes is a new version, which replaces the old rows.

    Example: lastmile drop survey/hhinfo.csv --dataset hhinfo --partition 2019 --as ke_abc_2019/hhinfo.csv
    """
    from lastmile.store import open_store

    settings = Settings.from_environment()
    prefix = f"{LANDING}{dataset}/{_checked_partition(_contract(settings, dataset), partition)}/"
    files = _named(paths, name)
    for path in files.values():
        _check_readable(path)
    store = open_store(settings)
    for file, path in track(files.items(), "putting", console=Console(stderr=True), disable=len(files) < 5):
        store.put(prefix + file, path)
    first = next(iter(files))
    print(f"{len(files)} files put under {prefix}" if len(files) > 1 else f"put {prefix}{first}")


def _contract(settings: Settings, dataset: str) -> "Contract":
    from lastmile.contracts.loading import load_contracts

    return contract_of(dataset, load_contracts(settings.assets))


def _checked_partition(contract: "Contract", partition: str) -> str:
    try:
        contract.partition.window(partition)
    except ValueError as error:
        raise UserError(f"{contract.name}: {error}") from None
    return partition


def _named(paths: Sequence[Path], name: str | None) -> dict[str, Path]:
    """The files by the name each gets. Raises UserError before anything is put, so that nothing is half done."""
    if name is not None:
        if len(paths) != 1 or paths[0].is_dir():
            raise UserError("--as names one file; leave it out for several files or a folder")
        return {_checked_name(name): paths[0]}
    files: dict[str, Path] = {}
    for path in paths:
        for inner, file in _files_of(path):
            if inner in files:
                raise UserError(
                    f"{files[inner]} and {file} would both be called {inner!r}; drop them one by one with --as"
                )
            files[_checked_name(inner)] = file
    return files


def _files_of(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.exists():
        raise UserError(f"no file or folder {path}")
    if not path.is_dir():
        yield path.name, path
        return
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    if not inside:
        raise UserError(f"{path} is a folder without files; name the files to drop, or a folder that has some")
    for file in inside:
        yield file.relative_to(path).as_posix(), file


def _checked_name(name: str) -> str:
    if problem := name_problem(name):
        raise UserError(f"{printable(name)!r} cannot be a name in the landing area: {problem}")
    if is_unfinished(name):
        raise UserError(
            f"{name!r} looks hidden or still being written, and would be left alone; give it another name with --as"
        )
    return name


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
