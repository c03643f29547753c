"""`lastmile models train` and `reproduce`: a training by hand, and making a version again."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.models.options import Name
from lastmile.cli.options import AsJson
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.learning.training.reproduction import Reproduction


def train(name: Name, why: Annotated[str, typer.Option(help="The reason, shown with the run.")] = "by hand") -> None:
    """Train a model now, judge it, and promote it if it is better. Works alongside a running `lastmile up`.

    Example: lastmile models train vulnerability --why "new villages"
    """
    from lastmile.cli.progress.backfill import run_to_end
    from lastmile.cli.progress.live import show_work
    from lastmile.embedded.home_lock import holder
    from lastmile.embedded.session import join, session
    from lastmile.orchestration.launches import training

    settings, console = Settings.from_environment(), Console()
    declared_model(settings, name)
    is_up = holder(settings) is not None
    with join(settings) if is_up else session(settings, None) as running:
        is_made = run_to_end(running, console, training(name, f"lastmile models train: {why}"))
        if not is_up:  # or what follows is made without this command
            show_work(running, console)
    _report(settings, name)
    if not is_made:
        raise typer.Exit(1)


def _report(settings: Settings, name: str) -> None:
    """What became of the training."""
    from lastmile.learning.registry.trainings import last

    with opened(settings) as (connection, _):
        found = last(connection, name)
    if found:
        print(f"{name}: {found.outcome or 'not finished'}{f' (version {found.version})' if found.version else ''}")


def reproduce(
    name: Name,
    version: Annotated[str | None, typer.Argument(help="Version (default: the one in use).")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a version again from the rows it was made from, and compare: scores, and predictions bit for bit.

    Example: lastmile models reproduce vulnerability 3
    """
    from lastmile.learning.registry.artifacts import ArtifactRefused
    from lastmile.learning.registry.deployments import champion
    from lastmile.learning.registry.snapshots import SnapshotLost
    from lastmile.learning.registry.versions import version_of
    from lastmile.learning.training import reproduction

    settings, console = Settings.from_environment(), Console()
    declared = declared_model(settings, name)
    with opened(settings) as (connection, store), console.status("training"):
        chosen = version_of(connection, name, version) if version else champion(connection, name)
        if chosen is None:
            raise UserError(f"no version of {name} is in use: say which to make again")
        try:
            found = reproduction.reproduce(store, declared, chosen)
        except (SnapshotLost, ArtifactRefused) as error:
            raise UserError(str(error)) from None
    if as_json:
        print(json.dumps({**vars(found), "exact": found.is_exact}))
    else:
        _print(console, chosen.version, found)
    if not found.is_exact:
        raise typer.Exit(1)


def _print(console: Console, version: str, found: "Reproduction") -> None:
    table = Table("score", "then", "now", box=None, pad_edge=False)
    for metric, (then, now) in found.scores.items():
        table.add_row(metric, f"{then:.6f}", f"{now:.6f}")
    console.print(table)
    differ = f"not the same: predictions differ by up to {found.difference:g}"
    same = "the same, bit for bit" if found.is_exact else differ
    console.print(f"version {version} from its {found.rows:,} rows: {same}", highlight=False)
    for change in found.changed:
        console.print(change, markup=False, highlight=False)
