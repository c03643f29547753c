"""`lastmile experiments`: versions of a model compared on the same stream of units."""

import typer

from lastmile.cli.experiments.decisions import decide, stop
from lastmile.cli.experiments.reporting import overview, report
from lastmile.cli.experiments.running import ramp, run
from lastmile.cli.experiments.start import start

experiments = typer.Typer(
    help="Compare versions of a model on the same stream of units; decide for one.", no_args_is_help=True
)
experiments.command("list")(overview)
for command in (start, run, ramp, report, stop, decide):
    experiments.command()(command)
