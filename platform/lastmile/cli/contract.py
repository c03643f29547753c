"""`lastmile contract`: write the contract of a dataset from what there is of it."""

import importlib.util
import os
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
from lastmile.settings.group import load

contract = typer.Typer(help="Write a first contract of a dataset from its files.", no_args_is_help=True)


@contract.callback()
def _group() -> None:
    """A command of its own, to which others may be added."""


@contract.command()
def draft(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files of one table, or folders with such files.")] = None,
    source: Annotated[str | None, typer.Option(help="Draft from the first records of this source instead.")] = None,
    topic: Annotated[
        str | None, typer.Option(help="Draft from the newest messages of this Kafka topic instead.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Draft from those of this stream's topic instead.")] = None,
    with_stream: Annotated[
        bool, typer.Option("--with-stream", help="Of --topic and --domain: write a first stream as well.")
    ] = False,
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
    Of a topic the newest messages are read, in whatever format; nothing needs to be declared, and nothing is committed.

    Example: lastmile contract draft survey_2023.csv survey_2024.xlsx --name visits --domain household_survey
    """
    from lastmile.ingestion.draft import draft as drafted
    from lastmile.ingestion.draft import files_in, open_file

    given = {"files": paths, "--source": source, "--topic": topic, "--stream": stream}
    if sum(map(bool, given.values())) > 1:
        raise UserError(
            f"{' and '.join(name for name in given if given[name])} say what to draft from; give one of them"
        )
    if with_stream and not (topic and domain):
        raise UserError("--with-stream writes assets/DOMAIN/streams/NAME.py; give it with --topic and --domain")
    if source:
        _draft_of_source(source, name, domain, to)
        return
    if topic or stream:
        _draft_of_messages(topic, stream, name, domain, to, with_stream)
        return
    if not paths:
        raise UserError("expected files to draft from, or --source, --topic or --stream with a name")
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


def _draft_of_source(source: str, name: str | None, domain: str | None, to: Path | None) -> None:
    """From its first records; it may name a dataset that has no contract yet."""
    from lastmile.cli.source.progress import progress
    from lastmile.sources.declared import find_among
    from lastmile.sources.loading import load_sources
    from lastmile.sources.sample import drafted

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


def _draft_of_messages(
    topic: str | None, stream: str | None, name: str | None, domain: str | None, to: Path | None, with_stream: bool
) -> None:
    """From the newest messages of a topic; a stream may name a dataset that has no contract yet."""
    from lastmile.embedded import kafka
    from lastmile.ingestion.draft.names import column_name
    from lastmile.settings.kafka import KafkaSettings
    from lastmile.streaming.declarations.loading import load_streams, stream_of
    from lastmile.streaming.drafting.drafted import drafted
    from lastmile.streaming.schemas.registry import open_registry

    settings = Settings.from_environment()
    declared = stream_of(stream, load_streams(settings.assets, None)) if stream else None
    read = declared.topic if declared else str(topic)
    dataset = _checked_name(name or (to.stem if to else declared.contract if declared else column_name(read)))
    target = _target(dataset, domain, to)
    to_stream = _new(_assets() / str(domain) / "streams" / f"{dataset}.py") if with_stream else None
    broker = load(KafkaSettings, {**os.environ, **kafka.variables(settings)}).client()
    form = declared.format if declared else "auto"
    with _counting("messages") as done:
        found = drafted(broker, read, form, dataset, lambda: open_registry(settings), done)
    for line in found.said:
        typer.echo(line, err=True)
    if target is None:
        print(found.contract, end="")
        return
    _write(target, found.contract)
    print(f"wrote {target}; go through it")
    if to_stream and found.stream:
        _write(to_stream, found.stream)
        print(f"wrote {to_stream}; go through it, then try it with `lastmile stream run {dataset} --until-caught-up`")


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
    return _new(to) if to else None


def _new(file: Path) -> Path:
    if file.exists():
        raise UserError(f"{file} is there already; give another --name or file, or remove it")
    return file


def _assets() -> Path:
    package = Settings.from_environment().assets
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"no package {package!r} of assets here; say where to write with --to")
    return Path(next(iter(found.submodule_search_locations)))


def _write(target: Path, text: str) -> None:
    """With the packages it needs to be found, where it is the first of its kind in its domain."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent.name in ("contracts", "streams"):
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


@contextmanager
def _counting(what: str) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"reading {what}")
        yield lambda count: progress.update(task, description=f"{count:,} {what} read")
