"""`lastmile models compare` and `card`: versions next to each other, and one on a page."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.models.options import Name
from lastmile.cli.options import AsJson
from lastmile.errors import UserError
from lastmile.settings import Settings


def compare(
    name: Name,
    version: Annotated[str, typer.Argument(help="Version, such as 4.")],
    other: Annotated[str | None, typer.Argument(help="Version it is compared with (default: the one in use).")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions on the same rows, which neither has seen, with what may be luck.

    Example: lastmile models compare vulnerability 4 3
    """
    from lastmile.learning.registry.deployments import champion
    from lastmile.learning.registry.versions import version_of
    from lastmile.learning.training.candidates import compared

    settings = Settings.from_environment()
    model = declared_model(settings, name).value
    with opened(settings) as (connection, store):
        one = version_of(connection, name, version)
        base = version_of(connection, name, other) if other else champion(connection, name)
        if base is None:
            raise UserError(f"no version of {name} is in use: say which two to compare")
        found = compared(store, model, one, base)
    if found is None:
        raise UserError(f"versions {one.version} and {base.version} share no rows that neither has seen")
    if as_json:
        print(json.dumps(found.as_json(), default=str))
        return
    table = Table(
        "score",
        f"version {one.version}",
        f"version {base.version}",
        "better by",
        "95 in 100",
        "p",
        box=None,
        pad_edge=False,
    )
    for metric, score in found.scores.items():
        span = f"{score.low:+.4f} to {score.high:+.4f}"
        numbers = (f"{score.candidate:.4f}", f"{score.champion:.4f}", f"{score.difference:+.4f}")
        table.add_row(metric.replace("_", " "), *numbers, span, f"{score.p_value:.3f}")
    Console().print(table)
    print(
        f"on {found.rows:,} rows in {found.groups} groups that neither had seen; {found.metric} decides, and p is how"
        " often a version that is no better would look this much better"
    )


def card(
    name: Name,
    version: Annotated[str | None, typer.Argument(help="Version (default: the one in use, else the newest).")] = None,
) -> None:
    """Write the model card, a page on data, scores, plots, limits and changes, and say where it lies.

    Example: lastmile models card vulnerability
    """
    from lastmile.learning.cards.card import keep
    from lastmile.learning.registry.deployments import champion
    from lastmile.learning.registry.versions import latest, version_of

    settings = Settings.from_environment()
    model = declared_model(settings, name).value
    with opened(settings) as (connection, store):
        chosen = (
            version_of(connection, name, version) if version else champion(connection, name) or latest(connection, name)
        )
        if chosen is None:
            raise UserError(f"the model {name} has no version yet: `lastmile models train {name}` makes one")
        print(keep(connection, store, model, chosen))
