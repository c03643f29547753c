"""`lastmile contract`: write the contract of a dataset from the files there are."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS
from lastmile.errors import UserError
from lastmile.settings import Settings

contract = typer.Typer(help="Write a first contract of a dataset from its files.", no_args_is_help=True)


@contract.callback()
def _group() -> None:
    """A command of its own, to which others may be added."""


@contract.command()
def draft(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files of one table, or folders with such files.")] = None,
    source: Annotated[str | None, typer.Option(help="Draft from the first records of this source instead.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset [default: that of the file to write, or of the files]")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Write to the contracts of this domain, as in assets/DOMAIN/contracts/NAME.py.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Write to this new file.")] = None,
) -> None:
    """Write a first contract from what files show, with the evidence as comments; on stdout unless --to names a file.

    Any file that can be dropped can be drafted from: CSV in any form, workbooks, JSON, Parquet, compressed or not.
    Every row is looked at, and the draft is tried on all of them: the files it came from load with it.

    Example: lastmile contract draft survey_2023.csv survey_2024.xlsx --name visits --domain household_survey
    """
    from lastmile.ingestion.draft import draft as drafted
    from lastmile.ingestion.draft import files_in, open_file

    if source:
        _draft_of_source(source, paths, name, domain, to)
        return
    if not paths:
        raise UserError("expected files to draft from, or --source with the name of a source")
    files = files_in(paths)
    dataset = _checked_name(name or (to.stem if to else _common_name(paths, files)))
    target = _target(dataset, domain, to)
    with _progress(len(files)) as done:
        text = drafted([open_file(file) for file in files], dataset, done)
    if target is None:
        print(text, end="")
        return
    _write(target, text)
    print(f"wrote {target}; go through it, then drop the files with `lastmile drop FILE --dataset {dataset}`")


def _draft_of_source(
    source: str, paths: Sequence[Path] | None, name: str | None, domain: str | None, to: Path | None
) -> None:
    """From its first records; it may name a dataset that has no contract yet."""
    from lastmile.cli.source.progress import progress
    from lastmile.sources.declared import find_among
    from lastmile.sources.loading import load_sources
    from lastmile.sources.sample import drafted

    if paths:
        raise UserError("files and --source both say what to draft from; give one of them")
    declared = find_among(source, load_sources(Settings.from_environment().assets, None))
    dataset = _checked_name(name or (to.stem if to else declared.dataset))
    target = _target(dataset, domain, to)
    with progress(source) as done:
        text = drafted(declared, dataset, done)
    if target is None:
        print(text, end="")
        return
    _write(target, text)
    print(f"wrote {target}; go through it, then try it with `lastmile source run {source} --dry-run`")


def _common_name(paths: Sequence[Path], files: Sequence[Path]) -> str:
    """The files' own name if they share it, as `crop.csv` of many folders; else that of what was named first."""
    from lastmile.ingestion.draft.names import column_name

    stems = {file.name.split(".")[0] for file in files}
    return column_name(stems.pop() if len(stems) == 1 else paths[0].resolve().name.split(".")[0])


def _checked_name(name: str) -> str:
    if not COLUMN_NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be the name of a dataset: expected {COLUMN_NAME_IN_WORDS}; give it by --name")
    return name


def _target(name: str, domain: str | None, to: Path | None) -> Path | None:
    """The file to be written; None for stdout. Raises UserError where there is one already, before anything is read."""
    if domain and to:
        raise UserError("--domain and --to both say where to write; give one of them")
    if domain:
        _checked_name(domain)
        to = _assets() / domain / "contracts" / f"{name}.py"
    if to and to.exists():
        raise UserError(f"{to} is there already; give another --name or file, or remove it")
    return to


def _assets() -> Path:
    package = Settings.from_environment().assets
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"no package {package!r} of assets here; say where to write with --to")
    return Path(next(iter(found.submodule_search_locations)))


def _write(target: Path, text: str) -> None:
    """With the packages it needs to be found, where it is the first contract of its domain."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent.name == "contracts":
        for folder in (target.parent.parent, target.parent):
            if not (folder / "__init__.py").exists():
                (folder / "__init__.py").write_text(f'"""{folder.name.replace("_", " ").capitalize()}."""\n')
    with target.open("x", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def _progress(files: int) -> Iterator[Callable[[int], None]]:
    console, rows = Console(stderr=True), 0
    if not console.is_interactive:
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"opening {files:,} files")

        def done(records: int) -> None:
            nonlocal rows
            rows += records
            progress.update(task, description=f"{rows:,} rows read; each is read twice")

        yield done
