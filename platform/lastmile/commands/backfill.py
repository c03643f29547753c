"""`lastmile backfill`: take the drops of a range of partitions as one Dagster backfill."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.errors import UserError
from lastmile.running.backfilling import REDO_TAG, is_done, request
from lastmile.running.home import holder
from lastmile.running.session import join, session
from lastmile.running.showing import work
from lastmile.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from lastmile.contract import Contract


def backfill(
    first: Annotated[str, typer.Option("--from", help="First partition, such as 2015.")],
    last: Annotated[str, typer.Option("--to", help="Last partition.")],
    dataset: Annotated[
        list[str] | None, typer.Option(help="Dataset; give it again for more [default: all that fit]")
    ] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Also take drops again that were taken before.")] = False,
) -> None:
    """Take the drops of a range of partitions in as few runs as can be, and make what follows from them.

    Works beside a running `lastmile up`, and by itself where none is running.

    Example: lastmile backfill --dataset hhinfo --from 2015 --to 2019 --redo
    """
    from lastmile.contract import load_contracts

    settings, console = Settings.from_environment(), Console()
    ranges = _ranges(load_contracts(settings.contracts), dataset, first, last)
    if holder(settings) is None:
        with session(settings, ui_port=None) as running:
            ids = _request(running.instance, settings, ranges, redo)
            succeeded = work(running, console) and all(is_done(running.instance, one) for one in ids)
    else:
        succeeded = _beside_a_running_platform(settings, console, ranges, redo)
    if not succeeded:
        raise typer.Exit(1)


def _ranges(
    contracts: "Mapping[str, Contract]", wanted: Sequence[str] | None, first: str, last: str
) -> dict[tuple[str, ...], list[str]]:
    """Partitions to the datasets that have them. Raises UserError where a dataset or partition does not exist."""
    unknown = [name for name in wanted or () if name not in contracts]
    if unknown:
        raise UserError(f"no dataset {unknown[0]!r}; there are: {', '.join(sorted(contracts))}")
    ranges: dict[tuple[str, ...], list[str]] = defaultdict(list)
    problems = []
    for name in wanted or contracts:
        try:
            ranges[tuple(contracts[name].partition.keys(first, last))].append(name)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems and (wanted or not ranges):
        raise UserError(problems[0])
    return ranges


def _request(
    instance: "DagsterInstance", settings: Settings, ranges: Mapping[tuple[str, ...], Sequence[str]], redo: bool
) -> list[str]:
    workspace = settings.dagster_home / "workspace.yaml"
    tags = {REDO_TAG: "true"} if redo else {}
    return [request(instance, workspace, datasets, partitions, tags) for partitions, datasets in ranges.items()]


def _beside_a_running_platform(
    settings: Settings, console: Console, ranges: Mapping[tuple[str, ...], Sequence[str]], redo: bool
) -> bool:
    with join(settings) as running:
        ids = _request(running.instance, settings, ranges, redo)
        console.print(f"asked the running platform for {', '.join(ids)}")
        while any(is_done(running.instance, one) is None for one in ids):
            running.look()
            time.sleep(1)
        succeeded = work(running, console)
        return succeeded and all(is_done(running.instance, one) for one in ids)
