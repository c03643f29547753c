"""What a person may have made: any assets, datasets over a range of partitions, a training.

The commands and the API call the same functions, so that a run is launched, tagged and named alike by both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lastmile.contracts.loading import load_contracts
from lastmile.contracts.partition import span
from lastmile.errors import UserError
from lastmile.operations.backfill import partition_ranges
from lastmile.orchestration.backfills import Backfill, Range, request, request_whole, rooms

if TYPE_CHECKING:
    from dagster import DagsterInstance

RequestBackfill = Callable[["DagsterInstance", Path], Backfill]
#: Who requested a run, where it is known.
WHO_TAG = "lastmile/who"


@dataclass(frozen=True)
class Wanted:
    """Assets by Dagster's selection syntax, or datasets (None: all that fit), and their first and last partition."""

    select: str | None = None
    datasets: Sequence[str] | None = None
    first: str | None = None
    last: str | None = None


def launches(assets: str, wanted: Wanted, tags: Mapping[str, str]) -> tuple[list[partial[Backfill]], tuple[date, date]]:
    """The backfills to request from Dagster, the first day they are about and the first day after them.

    `assets` is the package of the declarations. Raises UserError where it is not said what, or of which partitions.
    """
    if wanted.select and wanted.datasets:
        raise UserError("say either datasets or a selection (--dataset or --select)")
    if wanted.select and wanted.first is wanted.last is None:
        return [partial(request_whole, selection=wanted.select, tags=tags)], (date.min, date.max)
    if wanted.first is None or wanted.last is None:
        raise UserError("say which partitions with --from and --to, or which drop with --drop")
    if wanted.select:
        found = [Range(wanted.select, wanted.first, wanted.last)]
    else:
        ranges = partition_ranges(load_contracts(assets), wanted.datasets, wanted.first, wanted.last)
        found = [Range(rooms(names), keys[0], keys[-1]) for keys, names in ranges]
    try:
        days = span(wanted.first, wanted.last)
    except ValueError as error:
        raise UserError(str(error)) from None
    return [partial(request, wanted=one, tags=tags) for one in found], days


def training(name: str, reason: str, more: Mapping[str, str] | None = None) -> partial[Backfill]:
    """Train a model, judge it, and promote it if it is better."""
    from lastmile.orchestration.learning.retraining import training_tags

    selection = f'key:"models/{name}" or key:"champion/{name}"'
    return partial(request_whole, selection=selection, tags={**training_tags(name, reason), **(more or {})})
