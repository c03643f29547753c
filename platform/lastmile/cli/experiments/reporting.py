"""`lastmile experiments list` and `report`: which experiments there are, and what one shows so far."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.experiments.options import Name
from lastmile.cli.options import AsJson
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.learning.experiments.report import Report


def overview(
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    as_json: AsJson = False,
) -> None:
    """List experiments, the newest first: what they compare, and how they stand.

    Example: lastmile experiments list --model vulnerability
    """
    from lastmile.learning.experiments.experiment import experiments

    with opened(Settings.from_environment()) as (connection, _):
        found = experiments(connection, model)
    if as_json:
        print(json.dumps({"experiments": [asdict(one) for one in found]}, default=str))
        return
    if not found:
        print("there are no experiments")
        return
    table = Table("experiment", "model", "control", "treatments", "mode", "metric", "state", "started")
    for one in found:
        state = f"decided for {one.decision}" if one.decision else one.state
        versions = one.control, ", ".join(one.treatments)
        table.add_row(one.name, one.model, *versions, one.mode, one.metric, state, f"{one.started_at:%Y-%m-%d}")
    Console().print(table)


def report(name: Name, as_json: AsJson = False) -> None:
    """Show what an experiment shows so far, with outcomes that became known, and write it as a page with a plot.

    First the sample ratio: where it is not as planned, nothing else can be trusted. Then the difference, within a
    confidence sequence that holds at any number of looks, and the test at the planned size once that is reached.

    Example: lastmile experiments report richer-inputs
    """
    from lastmile.learning.experiments.experiment import history, named
    from lastmile.learning.experiments.page import keep, page
    from lastmile.learning.experiments.report import current_report

    settings = Settings.from_environment()
    with opened(settings) as (connection, store):
        experiment = named(connection, name)
        found = current_report(connection, declared_model(settings, experiment.model).value, experiment)
        where = keep(store, name, page(found, history(connection, name)))
    if as_json:
        print(json.dumps({**found.as_json(), "page": where}, default=str))
        return
    _print(found)
    print(f"page: {where}")


def _print(found: "Report") -> None:
    experiment = found.experiment
    print(f"{experiment.name} ({experiment.state}): {found.verdict}")
    print(f"rows: {found.exposed:,} exposed, {found.known:,} with outcome, {experiment.planned_size:,} planned")
    for of, ratio in found.ratios.items():
        print(f"sample ratio of {of}: {'as planned' if ratio.as_planned else 'NOT as planned'}: {ratio}")
    for one in found.comparisons:
        versions = f"version {one.treatment} minus version {experiment.control}"
        if one.looks:
            look = one.looks[-1]
            print(
                f"{versions}: {experiment.metric} {look.effect:+.4f}, at any look {look.low:+.4f} to {look.high:+.4f}"
            )
        if one.fixed:
            within = f"{one.fixed.low:+.4f} to {one.fixed.high:+.4f}"
            print(f"at the planned size: {one.fixed.effect:+.4f}, {within}, p = {one.fixed.p:.2g}")
        else:
            print("at the planned size: not reached, so not tested yet")
