"""`lastmile backfill`: take the drops of a range of partitions as one Dagster backfill."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from lastmile.commands.datasets import contract_of
from lastmile.errors import UserError
from lastmile.running.backfilling import DASK_TAG, REDO_TAG, is_done, request
from lastmile.running.home import holder
from lastmile.running.session import join, session
from lastmile.running.showing import work
from lastmile.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from lastmile.contract import Contract


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
) -> None:
    """Take the drops of a range of partitions in as few runs as can be, and make what follows from them.

    With --drop, single drops are taken again, whatever became of them before. Works beside a running `lastmile up`, and
    by itself where none is running.

    Example: lastmile backfill --dataset hhinfo --from 2015 --to 2019 --redo
    """
    from lastmile.contract import load_contracts

    settings, console = Settings.from_environment(), Console()
    if drop:
        _take_again(settings, console, drop, given_besides=[first, last, dataset, on, scheduler])
        return
    if first is None or last is None:
        raise UserError("say which partitions with --from and --to, or which drop with --drop")
    ranges = _ranges(load_contracts(settings.contracts), dataset, first, last)
    tags = ({REDO_TAG: "true"} if redo else {}) | _on(on, scheduler, settings.dask_scheduler)
    if holder(settings) is None:
        with session(settings, None) as running:
            ids = _request(running.instance, settings, ranges, tags)
            succeeded = work(running, console) and all(is_done(running.instance, one) for one in ids)
    else:
        succeeded = _beside_a_running_platform(settings, console, ranges, tags)
    if not succeeded:
        raise typer.Exit(1)


def _on(where: str | None, given: str | None, configured: str | None) -> dict[str, str]:
    """The tag that has a run's drops taken on a Dask cluster, which must be there."""
    from lastmile.running.on_dask import LOCAL, cluster

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
    from lastmile.commands.opening import opened
    from lastmile.intake.releasing import ask
    from lastmile.running.retaking import carry_out

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


def _request(
    instance: "DagsterInstance",
    settings: Settings,
    ranges: Mapping[tuple[str, ...], Sequence[str]],
    tags: Mapping[str, str],
) -> list[str]:
    workspace = settings.dagster_home / "workspace.yaml"
    return [request(instance, workspace, datasets, partitions, tags) for partitions, datasets in ranges.items()]


def _beside_a_running_platform(
    settings: Settings, console: Console, ranges: Mapping[tuple[str, ...], Sequence[str]], tags: Mapping[str, str]
) -> bool:
    with join(settings) as running:
        ids = _request(running.instance, settings, ranges, tags)
        console.print(f"asked the running platform for {', '.join(ids)}")
        while any(is_done(running.instance, one) is None for one in ids):
            running.look()
            time.sleep(1)
        succeeded = work(running, console)
        return succeeded and all(is_done(running.instance, one) for one in ids)
