"""What a person sees while the platform works: what is being made and how far it is, then a short table."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lastmile.orchestration.activity import Activity, Work

_SETTLED = ("loaded", "quarantined", "duplicate", "superseded", "missing", "failed")


def progress(state: Mapping[str, Any], activity: Activity) -> RenderableType:
    """Drops ingested so far and one line per run under way."""
    lines: list[RenderableType] = [Text(headline(state, activity), style="bold")]
    lines += [Text(f"  {describe(work)}") for work in activity.working]
    return Group(*lines)


def headline(state: Mapping[str, Any], activity: Activity) -> str:
    drops = state["drops"]
    settled = sum(drops.get(name, 0) for name in _SETTLED)
    done = f"drops {settled}/{sum(drops.values())}, rows loaded {state['rows']['loaded']:,}"
    waiting = activity.queued + activity.backfills
    failed = f", {len(activity.failed)} failed" if activity.failed else ""
    return f"{done}; runs: {len(activity.working)} working, {waiting} waiting, {len(activity.finished)} done{failed}"


def describe(work: Work) -> str:
    """`making intermediate (3 assets) 2019: 2 made`."""
    rooms = sorted({asset.split("/", 1)[0] for asset in work.assets})
    what = work.assets[0] if len(work.assets) == 1 else f"{', '.join(rooms)}"
    return f"making {what} {work.partitions}".rstrip() + f": {work.made}/{len(work.assets)} assets"


def report(console: Console, state: Mapping[str, Any]) -> None:
    """Drops and rows per dataset, models with their scores, predictions by level."""
    console.print(rows_table(state))
    if state["models"]:
        console.print(models_table(state["models"]))
    if state["predictions"]:
        console.print(predictions_table(state["predictions"]))


def rows_table(state: Mapping[str, Any]) -> Table:
    table = Table(
        "dataset",
        *(_right(name) for name in ("drops", "read", "loaded", "quarantined", "duplicate")),
        title="Drops and rows",
    )
    for name, dataset in state["datasets"].items():
        table.add_row(name, str(sum(dataset["drops"].values())), *_numbers(dataset["rows"]))
    table.add_section()
    table.add_row("all", str(sum(state["drops"].values())), *_numbers(state["rows"]))
    return table


def models_table(models: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("model", "version", "score", _right("value"), _right("dummy"), title="Models")
    for model in models:
        for position, (name, value, dummy) in enumerate(_scores(model["scores"])):
            table.add_row(*((model["name"], str(model["version"])) if position == 0 else ("", "")), name, value, dummy)
    return table


def predictions_table(predictions: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table("predictions", "level", _right("rows"), _right("share"), title="Predictions")
    for name, levels in predictions.items():
        total = sum(levels.values())
        for place, (level, rows) in enumerate(sorted(levels.items(), key=lambda item: -item[1])):
            table.add_row("" if place else name, level, f"{rows:,}", f"{rows / total:.0%}")
    return table


def _scores(scores: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    dummy = scores.get("dummy", {})
    plain = {name: value for name, value in scores.items() if isinstance(value, int | float)}
    return [(name, f"{value:.3f}", f"{dummy[name]:.3f}" if name in dummy else "") for name, value in plain.items()]


def _numbers(rows: Mapping[str, int]) -> list[str]:
    return [f"{rows[name]:,}" for name in ("read", "loaded", "quarantined", "duplicate")]


def _right(name: str) -> Any:
    from rich.table import Column

    return Column(name, justify="right")
