"""Following runs and backfills, and the graph of assets, for processes without Dagster."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lastmile.orchestration import graph, history
from lastmile.serving.engine.connected import connected


def page(
    most: int, states: Sequence[Any] | None = None, before: float | None = None, part_of: str | None = None
) -> list[dict[str, Any]]:
    """As `history.page`; `before` in seconds since the epoch."""
    until = datetime.fromtimestamp(before, UTC) if before is not None else None
    with connected() as (instance, _):
        return [one.as_dict() for one in history.page(instance, most, states, until, part_of)]


def find(run: str) -> dict[str, Any] | None:
    with connected() as (instance, _):
        found = history.find(instance, run)
        return found.as_dict() if found else None


def results(run: str, most: int) -> dict[str, Any] | None:
    """What it made, and the ids of its runs; None where there is no such run."""
    with connected() as (instance, _):
        found = history.find(instance, run)
        if found is None:
            return None
        runs = history.runs_of(instance, run)
        return {"run": found.as_dict(), "runs": runs, **history.results(instance, runs, most)}


def assets() -> dict[str, dict[str, Any]]:
    """The graph of assets by key."""
    from lastmile.orchestration.dagster_compat import graphql

    with connected() as (instance, workspace), graphql.workspace(instance, workspace) as loaded:
        return graph.nodes(loaded)
