"""`lastmile experiments run` and `ramp`: predict feature rows within an experiment; treat more units."""

from typing import Annotated

import typer

from lastmile.cli.cause import Who, Why, cause
from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.experiments.options import Name
from lastmile.errors import UserError
from lastmile.settings import Settings


def run(
    name: Name,
    partition: Annotated[
        list[str] | None, typer.Option(help="Of the feature set; give it again for more (default: all)")
    ] = None,
) -> None:
    """Predict the feature set's rows by the experiment's versions, and log who was answered by which.

    Rows that one of the versions was trained on are left out. What was logged before stays; a repeat adds nothing.

    Example: lastmile experiments run richer-inputs --partition 2019
    """
    from lastmile.learning.experiments.experiment import named
    from lastmile.learning.experiments.running import run as predict
    from lastmile.learning.features.building import stored
    from lastmile.learning.registry.artifacts import ArtifactRefused

    settings = Settings.from_environment()
    with opened(settings) as (connection, store):
        experiment = named(connection, name)
        model = declared_model(settings, experiment.model).value
        rows = stored(model.features).read(store, partition)
        try:
            done = predict(connection, store, model, experiment, rows)
        except ArtifactRefused as refused:
            raise UserError(f"{name} cannot run: {refused}") from refused
    print(f"exposed: {done.new:,} rows; logged before: {done.repeated:,}; a version was trained on: {done.seen:,}")


def ramp(
    name: Name,
    share: Annotated[float, typer.Option(help="Share of units that treatments get from now on.")],
    why: Why,
    who: Who = None,
) -> None:
    """Give the treatments of a split a larger share of units; units that were answered keep their version.

    Example: lastmile experiments ramp reminders --share 0.5 --why "no complaints in a week"
    """
    from lastmile.learning.experiments.experiment import ramp as grow

    with opened(Settings.from_environment()) as (connection, _):
        experiment = grow(connection, name, share, cause(why, who))
    print(f"{experiment.name}: treatments get {experiment.share:.0%} of units")
