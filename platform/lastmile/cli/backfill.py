"""`lastmile backfill`: take the drops of a range of partitions, or make any assets of it, as one Dagster backfill."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from lastmile.cli.datasets import contract_of
from lastmile.cli.progress.backfill import Ask, carry_out
from lastmile.contracts.partition import span
from lastmile.embedded.home_lock import holder
from lastmile.embedded.session import join, session
from lastmile.errors import UserError
from lastmile.orchestration.backfills import DASK_TAG, REDO_TAG, Range, request, request_resume, rooms
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract


def backfill(
    first: Annotated[str | None, typer.Option("--from", help="First partition, such as 2015.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last partition.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Dataset; give it again for more [default: all that fit]")
    ] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Also take drops again that were taken before.")] = False,
    on: Annotated[
        Literal["dask"] | None, typer.Option(help="Take the drops on the workers of a Dask cluster, not in the run.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Its scheduler, such as tcp://10.0.0.5:8786 [default: a cluster on this machine]")
    ] = None,
    drop: Annotated[
        list[int] | None, typer.Option(help="Instead: this one drop again, by its number; give it again for more.")
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="Instead of datasets: assets as the UI selects them, such as 'group:warehouse'.")
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Instead: what this earlier backfill has not made.")] = None,
) -> None:
    """Take the drops of a range of partitions in as few runs as can be, and make what follows from them.

    With --select, make any assets of these partitions instead. With --drop, single drops are taken again, whatever
    became of them before. Works beside a running `lastmile up`, and by itself where none is running; ends with the rows
    of each partition that changed.

    Example: lastmile backfill --dataset hhinfo --from 2015 --to 2019 --redo
    """
    settings, console = Settings.from_environment(), Console()
    if drop:
        _take_again(settings, console, drop, given_besides=[first, last, dataset, on, scheduler, select, resume])
        return
    tags = ({REDO_TAG: "true"} if redo else {}) | _on(on, scheduler, settings.dask_scheduler)
    asks, days = _asks(settings, first, last, dataset, select, resume, tags)
    with join(settings) if holder(settings) else session(settings, None) as running:
        if not carry_out(running, console, asks, *days):
            raise typer.Exit(1)


def _asks(
    settings: Settings,
    first: str | None,
    last: str | None,
    datasets: Sequence[str] | None,
    select: str | None,
    resume: str | None,
    tags: Mapping[str, str],
) -> tuple[list[Ask], tuple[date, date]]:
    """What to ask Dagster for, and the first day it is about and the first day after it."""
    from lastmile.contracts.loading import load_contracts

    if resume:
        if first or last or datasets or select or tags:
            raise UserError("--resume stands alone: the earlier backfill says what was wanted")
        return [partial(request_resume, backfill_id=resume)], (date.min, date.max)
    if first is None or last is None:
        raise UserError("say which partitions with --from and --to, or which drop with --drop")
    if select and datasets:
        raise UserError("say either --dataset or --select")
    if select:
        wanted = [Range(select, first, last)]
    else:
        ranges = _ranges(load_contracts(settings.assets), datasets, first, last)
        wanted = [Range(rooms(names), keys[0], keys[-1]) for keys, names in ranges.items()]
    try:
        days = span(first, last)
    except ValueError as error:
        raise UserError(str(error)) from None
    return [partial(request, wanted=one, tags=tags) for one in wanted], days


def _on(where: str | None, given: str | None, configured: str | None) -> dict[str, str]:
    """The tag that has a run's drops taken on a Dask cluster, which must be there."""
    from lastmile.ingestion.dask_cluster import LOCAL, cluster

    if where is None and given:
        raise UserError("--scheduler names a Dask cluster: say --on dask too")
    if where is None:
        return {}
    scheduler = given or configured
    if scheduler and scheduler != LOCAL:
        with cluster(scheduler):
            pass
    return {DASK_TAG: scheduler or LOCAL}


def _take_again(settings: Settings, console: Console, drops: Sequence[int], given_besides: Sequence[object]) -> None:
    from lastmile.cli.connection import opened
    from lastmile.cli.progress.reingest import carry_out
    from lastmile.quarantine.release import ask

    if any(given_besides):
        raise UserError("--drop stands alone: a drop belongs to one dataset and partition")
    with opened(settings) as (connection, store):
        for number in drops:
            found = connection.execute(
                "SELECT key, state, message FROM ledger.drops WHERE id = %s AND store = %s", [number, store.url]
            ).fetchone()
            if found is None:
                raise UserError(f"no drop {number} in {store.url}; the web UI shows those of each partition")
            if not ask(connection, {}, [number]):
                key, state, message = found
                raise UserError(f"drop {number} ({key}) is {state} and cannot be taken again: {message or 'it waits'}")
    if not carry_out(settings, console, drops):
        raise typer.Exit(1)


def _ranges(
    contracts: "Mapping[str, Contract]", wanted: Sequence[str] | None, first: str, last: str
) -> dict[tuple[str, ...], list[str]]:
    """Partitions to the datasets that have them. Raises UserError where a dataset or partition does not exist."""
    chosen = {name: contract_of(name, contracts) for name in wanted} if wanted else contracts
    ranges: dict[tuple[str, ...], list[str]] = defaultdict(list)
    problems = []
    for name, contract in chosen.items():
        try:
            ranges[tuple(contract.partition.keys(first, last))].append(name)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems and (wanted or not ranges):
        raise UserError(problems[0])
    return ranges
