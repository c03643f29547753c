"""`lastmile experiments start`: fix what is compared, by what, and on how many rows; from then on it runs."""

from typing import Annotated, Literal

import typer

from lastmile.cli.cause import Who, Why, cause
from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.experiments.options import Name
from lastmile.settings import Settings


def start(
    name: Name,
    model: Annotated[str, typer.Option(help="Its versions are compared.")],
    treatment: Annotated[list[str], typer.Option(help="Version to try; give it again for more.")],
    why: Why,
    control: Annotated[str | None, typer.Option(help="Version to compare with (default: the one in use)")] = None,
    mode: Annotated[
        Literal["shadow", "split"],
        typer.Option(help="shadow: all versions predict every unit, the control answers. split: units are assigned."),
    ] = "shadow",
    share: Annotated[float, typer.Option(help="Of a split: share of units that treatments get at first.")] = 0.5,
    unit: Annotated[
        list[str] | None, typer.Option(help="Column of what is assigned, such as hhid (default: the entity's columns)")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What versions are compared by (default: what the model is promoted by)")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Share of experiments that may be wrong where versions are equal.")
    ] = 0.05,
    detect: Annotated[
        float | None, typer.Option(help="Smallest difference worth finding, in the metric's unit: gives the size.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Instead: rows with outcomes at which it is tested.", min=1)] = None,
    hypothesis: Annotated[str | None, typer.Option(help="What is expected.")] = None,
    who: Who = None,
) -> None:
    """Start an experiment; its plan is fixed from then on, and a model has one at a time.

    The planned size is that of one test of the difference; with --detect it is large enough to find such a difference
    in four of five experiments. The report may be read, and the experiment stopped, at any time before.

    Example: lastmile experiments start richer --model vulnerability --treatment 4 --detect 0.01 --why "new inputs"
    """
    from lastmile.learning.experiments.experiment import start as begin
    from lastmile.learning.experiments.planning import Wish, plan

    settings = Settings.from_environment()
    with opened(settings) as (connection, store):
        declared, of_treatments = declared_model(settings, model).value, share if mode == "split" else None
        wish = Wish(name, treatment, control, mode, of_treatments, unit, metric, alpha, detect, size, hypothesis)
        planned, basis = plan(connection, store, declared, wish)
        experiment = begin(connection, planned, cause(why, who), of_treatments)
    print(f"started {experiment.name}: version {', '.join(experiment.treatments)} against {experiment.control}, {mode}")
    print(f"compared by {experiment.metric}; planned size: {basis}")
