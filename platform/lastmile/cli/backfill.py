"""`lastmile backfill`: ingest the drops of a range of partitions, or make any assets of it, as one Dagster backfill."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.orchestration.launches import RequestBackfill


def backfill(
    first: Annotated[str | None, typer.Option("--from", help="First partition, such as 2015.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last partition.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Dataset; give it again for more (default: all that fit)")
    ] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Also re-ingest drops that were ingested before.")] = False,
    on: Annotated[
        Literal["dask"] | None, typer.Option(help="Ingest on the workers of a Dask cluster, not in the run.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Its scheduler, such as tcp://10.0.0.5:8786 (default: a cluster on this machine)")
    ] = None,
    drop: Annotated[
        list[int] | None, typer.Option(help="Instead: re-ingest this one drop, by its number; repeat it for more.")
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="Instead of datasets: assets as the UI selects them, such as 'group:warehouse'.")
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Instead: what this earlier backfill has not made.")] = None,
) -> None:
    """Ingest the drops of a range of partitions in as few runs as possible, and make what is downstream of them.

    With --select, make any assets of these partitions instead; those without partitions need no range. With --drop,
    single drops are re-ingested, whatever became of them before. Works alongside a running `lastmile up`, and by itself
    where none is running; ends with the rows of each partition that changed.

    Example: lastmile backfill --dataset hhinfo --from 2015 --to 2019 --redo
    """
    from lastmile.cli.progress.backfill import run_backfills
    from lastmile.embedded.home_lock import holder
    from lastmile.embedded.session import join, session
    from lastmile.orchestration.backfills import REDO_TAG
    from lastmile.orchestration.runs.cause import CAUSE_TAG, shortened

    settings, console = Settings.from_environment(), Console()
    if drop:
        _reingest(settings, console, drop, other_options=[first, last, dataset, on, scheduler, select, resume])
        return
    tags = ({REDO_TAG: "true"} if redo else {}) | _on(on, scheduler, settings.dask_scheduler)
    cause = {CAUSE_TAG: shortened(f"lastmile {shlex.join(sys.argv[1:])}")}
    requests, days = _requests(settings, first, last, dataset, select, resume, tags, cause)
    with join(settings) if holder(settings) else session(settings, None) as running:
        if not run_backfills(running, console, requests, *days):
            raise typer.Exit(1)


def _requests(
    settings: Settings,
    first: str | None,
    last: str | None,
    datasets: Sequence[str] | None,
    select: str | None,
    resume: str | None,
    tags: Mapping[str, str],
    cause: Mapping[str, str],
) -> "tuple[list[RequestBackfill], tuple[date, date]]":
    """The backfills to request from Dagster, the first day they are about and the first day after them."""
    from lastmile.orchestration.backfills import request_resume
    from lastmile.orchestration.launches import Wanted, launches

    if resume:
        if first or last or datasets or select or tags:
            raise UserError("--resume stands alone: the earlier backfill says what was wanted")
        return [partial(request_resume, backfill_id=resume)], (date.min, date.max)
    requests, days = launches(settings.assets, Wanted(select, datasets, first, last), {**tags, **cause})
    return [*requests], days


def _on(where: str | None, given: str | None, configured: str | None) -> dict[str, str]:
    """The tag that has a run's drops ingested on a Dask cluster, which must be there."""
    from lastmile.ingestion.dask_cluster import LOCAL, cluster
    from lastmile.orchestration.backfills import DASK_TAG

    if where is None and given:
        raise UserError("--scheduler names a Dask cluster: say --on dask too")
    if where is None:
        return {}
    scheduler = given or configured
    if scheduler and scheduler != LOCAL:
        with cluster(scheduler):
            pass
    return {DASK_TAG: scheduler or LOCAL}


def _reingest(settings: Settings, console: Console, drops: Sequence[int], other_options: Sequence[object]) -> None:
    from lastmile.cli.connection import opened
    from lastmile.cli.progress.reingest import await_results
    from lastmile.ledger import reingest

    if any(other_options):
        raise UserError("--drop stands alone: a drop belongs to one dataset and partition")
    with opened(settings) as (connection, store):
        reingest(connection, store.url, drops)
    if not await_results(settings, console, drops):
        raise typer.Exit(1)
