"""Launching a Dagster backfill without the web UI, as that does it: by GraphQL, on the code that is running.

A backfill is Dagster's own and lives in its storage: the process that launched it may end, the daemon carries it on,
also after a stop, and does not repeat the runs that are done. GraphQL's schema is used in this process, so it works
whether or not a webserver is up.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lastmile.contracts.partition import span
from lastmile.errors import UserError
from lastmile.orchestration.drops.paths import cleaned_path, quarantine_path, raw_path

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance

    from lastmile.orchestration.dagster_compat.graphql import Workspace

#: A run with this tag set to `true` ingests all drops of its partitions again.
REDO_TAG = "lastmile/redo"
#: A run with this tag ingests its drops on the Dask cluster of the scheduler at that address.
DASK_TAG = "lastmile/dask"

#: A key without its quotes, as it stands in an address; to Dagster `+` behind such a one means a single step.
_KEY_ALONE = re.compile(r"^(\d*\+)?([\w.-]+(?:/[\w.-]+)+)(\+\d*)?$")

_LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
  }
}
"""
_RESUME = """
mutation Resume($params: ReexecutionParams!) {
  reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
  }
}
"""
_CANCEL = """
mutation Cancel($id: String!) {
  cancelPartitionBackfill(backfillId: $id) { __typename ... on Error { message } }
}
"""
_TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id) { __typename ... on TerminateRunFailure { message } ... on Error { message } }
}
"""
_RUN_ID_LENGTH = 36


@dataclass(frozen=True)
class Range:
    """Assets, as Dagster's selection syntax names them, and the first and last of their partitions."""

    selection: str
    first: str
    last: str


def rooms(datasets: Sequence[str]) -> str:
    """The selection of what ingestion makes of some datasets."""
    paths = (path(dataset) for dataset in datasets for path in (raw_path, cleaned_path, quarantine_path))
    return " or ".join(f'key:"{"/".join(path)}"' for path in paths)


@dataclass(frozen=True)
class Backfill:
    """A backfill that was launched, and the assets it makes."""

    backfill_id: str
    keys: Sequence["AssetKey"]

    def is_done(self, instance: "DagsterInstance") -> bool | None:
        """None while it is under way, then whether it succeeded."""
        from lastmile.orchestration.dagster_compat.backfills import backfill_state

        state = backfill_state(instance, self.backfill_id)
        return state.succeeded if state else False

    def progress(self, instance: "DagsterInstance") -> tuple[int, int]:
        """How many partitions of assets are made, and of how many; one that failed is not made."""
        from lastmile.orchestration.dagster_compat.backfills import backfill_state

        state = backfill_state(instance, self.backfill_id)
        return (state.made, state.wanted) if state else (0, 0)

    def left(self, instance: "DagsterInstance") -> str | None:
        """What was not made and how to request it; None where all was."""
        if self.is_done(instance):
            return None
        made, wanted = self.progress(instance)
        return (
            f"{made:,} of {wanted:,} partitions of assets were made; once what failed is mended, request the rest:"
            f" `lastmile backfill --resume {self.backfill_id}`"
        )


def request(instance: "DagsterInstance", workspace: Path, wanted: Range, tags: Mapping[str, str]) -> Backfill:
    """Launch it for the range. Raises UserError where nothing is selected, or its assets have no such partitions."""
    from lastmile.orchestration.dagster_compat import graphql

    with graphql.workspace(instance, workspace) as loaded:
        graph = loaded.loaded_graph()
        keys = _selected(graph, wanted.selection)
        params = {
            "partitionsByAssets": _targets(graph, keys, wanted),
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
            "title": f"{wanted.first} to {wanted.last}",
            "description": wanted.selection,
        }
        return Backfill(_launched(loaded, _LAUNCH, params), keys)


def request_whole(instance: "DagsterInstance", workspace: Path, selection: str, tags: Mapping[str, str]) -> Backfill:
    """Launch it for assets without partitions. Raises UserError where nothing is selected, or one has partitions."""
    from lastmile.orchestration.dagster_compat import graphql

    with graphql.workspace(instance, workspace) as loaded:
        graph = loaded.loaded_graph()
        keys = _selected(graph, selection)
        if partitioned := [key.to_user_string() for key in keys if graph.get(key).partitions_def]:
            names = ", ".join(partitioned)
            raise UserError(f"{names}: made by partition; say which with --from and --to (`from` and `to` in the API)")
        params = {
            "partitionsByAssets": [{"assetKey": {"path": key.path}} for key in keys],
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
            "title": "whole",
            "description": selection,
        }
        return Backfill(_launched(loaded, _LAUNCH, params), keys)


def request_resume(instance: "DagsterInstance", workspace: Path, backfill_id: str) -> Backfill:
    """Launch another for what one has not made. Raises UserError where it is not over, or all of it is made."""
    from lastmile.orchestration.dagster_compat import backfills, graphql

    state = backfills.backfill_state(instance, backfill_id)
    if state is None or not state.wanted:
        raise UserError(f"there is no backfill {backfill_id}; those there are are in the UI under Runs, Backfills")
    if state.succeeded is None:
        raise UserError(f"backfill {backfill_id} is still under way; `lastmile up` carries it on")
    if state.made == state.wanted:
        raise UserError(f"everything that backfill {backfill_id} was launched for is made")
    with graphql.workspace(instance, workspace) as loaded:
        resumed = _launched(loaded, _RESUME, {"parentRunId": backfill_id, "strategy": "FROM_FAILURE"})
    return Backfill(resumed, backfills.assets_of_backfill(instance, resumed))


def cancel(instance: "DagsterInstance", workspace: Path, one: str) -> None:
    """Request that a backfill or a run ends. Raises UserError where Dagster refuses, as for one that has ended."""
    from lastmile.orchestration.dagster_compat import graphql

    mutation = _TERMINATE if is_run(one) else _CANCEL
    with graphql.workspace(instance, workspace) as loaded:
        (answer,) = loaded.execute(mutation, {"id": one}).values()
    if message := answer.get("message"):
        raise UserError(f"Dagster refuses to cancel {one}: {message}")


def is_run(one: str) -> bool:
    """Whether it is the id of a run; those of backfills are short."""
    return len(one) == _RUN_ID_LENGTH


def _launched(loaded: "Workspace", mutation: str, params: Mapping[str, object]) -> str:
    """The id of the backfill. Raises UserError with Dagster's reason where it refuses."""
    (answer,) = loaded.execute(mutation, {"params": params}).values()
    if "backfillId" not in answer:
        raise UserError(f"Dagster refuses the backfill: {answer.get('message') or answer['__typename']}")
    return str(answer["backfillId"])


def _selected(graph: Any, selection: str) -> list["AssetKey"]:
    from dagster import AssetSelection, DagsterError

    try:
        found: AssetSelection = AssetSelection.from_string(_KEY_ALONE.sub(r'\1key:"\2"\3', selection))
        keys = sorted(found.resolve(graph))
    except DagsterError as error:
        raise UserError(f"cannot read the selection {selection!r}: {str(error).splitlines()[0]}") from None
    if not keys:
        raise UserError(f"no asset is {selection}; select as in the UI, such as 'key:\"marts/fct_household_year\"+'")
    return keys


def _targets(graph: Any, keys: Sequence["AssetKey"], wanted: Range) -> list[dict[str, Any]]:
    """Each asset and its first and last partition of the range; none for an asset without partitions.

    Where partitions differ, in unit or start, an asset's are those that overlap the range; some asset has exactly it.
    """
    shapes = {key: shape for key in keys if (shape := graph.get(key).partitions_def)}
    if not shapes:
        raise UserError(f"{wanted.selection}: none of these assets is made by partition; materialize them in the UI")
    exact = any({wanted.first, wanted.last} <= {*shape.get_partition_keys()} for shape in {*shapes.values()})
    targets: list[dict[str, Any]] = [{"assetKey": {"path": key.path}} for key in keys if key not in shapes]
    for key, shape in shapes.items():
        if found := _partitions(shape, [other for other in shapes if shapes[other] == shape], wanted, exact):
            ends = {"start": found[0], "end": found[-1]}
            targets.append({"assetKey": {"path": key.path}, "partitions": {"range": ends}})
    if len(targets) == len(keys) - len(shapes):
        raise UserError(f"{wanted.first} to {wanted.last} are not the same partitions for all of the assets selected")
    return targets


def _partitions(shape: Any, keys: Sequence["AssetKey"], wanted: Range, is_exact_elsewhere: bool) -> list[str]:
    """The partitions of a shape, which these assets have, within the range. Raises UserError where it has no such."""
    from dagster import TimeWindowPartitionsDefinition

    every = shape.get_partition_keys()
    if {wanted.first, wanted.last} <= {*every}:
        return [key for key in every if wanted.first <= key <= wanted.last]
    if is_exact_elsewhere and isinstance(shape, TimeWindowPartitionsDefinition):
        first, after = span(wanted.first, wanted.last)
        windows = {key: shape.time_window_for_partition_key(key) for key in every}
        return [key for key, own in windows.items() if own.end.date() > first and own.start.date() < after]
    few = ", ".join(key.to_user_string() for key in keys)
    raise UserError(
        f"{few} have partitions from {every[0]} to {every[-1]};"
        f" found {wanted.first} to {wanted.last}: select assets of one kind of partition"
    )
