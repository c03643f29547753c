"""Why the landing sensor requests a run: the drops that wait, by dataset, the first of them by name."""

from collections.abc import Iterator, Sequence

import dagster as dg

from lastmile.orchestration.failures import RANGE
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.runs.cause import CAUSE_TAG, NAMED, shortened
from lastmile.orchestration.runs.traced import MOST, trace_tags


def with_causes(platform: Platform, requests: Sequence[dg.RunRequest]) -> Iterator[dg.RunRequest]:
    """The same requests, each tagged with its cause: `hhinfo 2019: 3 drops (a.csv, b.csv, c.csv)`."""
    from lastmile.ledger.backlog import waiting_in

    if not requests:
        return
    store = platform.store().url
    with platform.connect() as connection:
        for request in requests:
            datasets = [key.path[-1] for key in request.asset_selection or () if key.path[0] == "cleaned"]
            first, last = (request.partition_key or request.tags[tag] for tag in RANGE)
            found = waiting_in(connection, store, datasets, first, last, NAMED, MOST)
            cause = "; ".join(_said(*one[:5]) for one in found)
            traces = [trace for *_, of_dataset in found for trace in of_dataset][:MOST]
            traced = trace_tags(traces, drops=sum(count for _, _, _, count, *_ in found), cause=shortened(cause))
            yield dg.RunRequest(
                asset_selection=request.asset_selection,
                partition_key=request.partition_key,
                tags={**request.tags, CAUSE_TAG: shortened(cause), **traced},
            )


def _said(dataset: str, first: str, last: str, count: int, keys: Sequence[str]) -> str:
    names = [key.split("/", 3)[-1] for key in keys] + ["..."] * (count > len(keys))
    span = first if first == last else f"{first} to {last}"
    return f"{dataset} {span}: {count:,} drop{'s' * (count != 1)} ({', '.join(names)})"
