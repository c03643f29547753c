"""`lastmile models list` and `show`: what is in use, how good it is, and how it came to be."""

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.models.options import Name
from lastmile.cli.options import AsJson
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.learning.declarations.model import Model

_EVENTS_SHOWN, _VERSIONS_SHOWN = 15, 4


def overview(as_json: AsJson = False) -> None:
    """List each model: the version in use, its score next to a dummy's and next to the floor, the newest version.

    Example: lastmile models list
    """
    from lastmile.learning.declarations.loading import load_models
    from lastmile.learning.registry import overview as registry

    settings = Settings.from_environment()
    models = {name: declared.value for name, declared in load_models(settings.assets).items()}
    with opened(settings) as (connection, _):
        rows = registry.overview(connection, models)
    if as_json:
        print(json.dumps({"models": rows}, default=str))
        return
    console = Console()
    table = Table(
        Column("model", no_wrap=True),
        "in use",
        "score",
        "",
        "dummy",
        "floor",
        "newest version",
        box=None,
        pad_edge=False,
    )
    for row in rows:
        in_use = f"{row['in use'] or 'none'}{' (held)' if row['held'] else ''}"
        floor = f"{_number(row['floor score'])} of {row['floor']:g}"
        newest = f"{row['newest']}: {row['decision']}" if row["newest"] else "none"
        metric = row["metric"].replace("_", " ")
        table.add_row(row["name"], in_use, _number(row["score"]), metric, _number(row["dummy"]), floor, newest)
    console.print(table)
    for row in rows:
        if row["last training"]:
            what = row["outcome"] or "under way"
            line = f"{row['name']}: trained {row['last training']:%Y-%m-%d %H:%M} ({row['reason']}): {what}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def show(name: Name, as_json: AsJson = False) -> None:
    """Show the versions of a model with scores and decisions, and what happened to them.

    Example: lastmile models show vulnerability
    """
    from lastmile.learning.registry import deployments
    from lastmile.learning.registry.events import history
    from lastmile.learning.registry.overview import version_rows

    settings = Settings.from_environment()
    model = declared_model(settings, name).value
    with opened(settings) as (connection, _):
        rows, events = version_rows(connection, model), history(connection, name)
        used = deployments.deployment(connection, name)
    if as_json:
        print(json.dumps({"versions": rows, "history": events, "in use": used and vars(used)}, default=str))
        return
    console = Console()
    console.print(f"{name}: {model.description}", markup=False, highlight=False)
    if used is None:
        console.print("no version is in use yet")
    elif used.held_since:
        console.print(f"version {used.version} is held by {used.held_by}: {used.held_reason}", markup=False)
    console.print(_versions(model, rows[:_VERSIONS_SHOWN]))
    console.print("scores are on rows it did not see, the dummy's in brackets", style="dim")
    for event in events[:_EVENTS_SHOWN]:
        console.print(_line(event), markup=False, highlight=False, soft_wrap=True)


def _versions(model: "Model", rows: list[Any]) -> Table:
    """A column for each version, the newest first."""
    table = Table("", *(f"version {row['version']}" for row in rows), box=None, pad_edge=False)
    table.add_row("made", *(f"{row['created']:%Y-%m-%d %H:%M}" for row in rows))
    table.add_row("decision", *(row["decision"] for row in rows))
    table.add_row("labelled rows", *(f"{row['rows'] or 0:,}" for row in rows))
    for metric in model.score_names():
        scores = (f"{_number(row['scores'][metric])} ({_number(row['dummy'].get(metric))})" for row in rows)
        table.add_row(metric.replace("_", " "), *scores)
    table.add_row("ONNX", *(row["onnx"] for row in rows))
    return table


def _line(event: Any) -> str:
    what = f"version {event['version']} {event['event']} by {event['actor']}"
    return f"{event['at']:%Y-%m-%d %H:%M} {what}: {event['reason']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
