"""The command line: every command by name, and one form for mistakes."""

import sys

import typer

from lastmile.cli.alerts import alerts
from lastmile.cli.api import api
from lastmile.cli.backfill import backfill
from lastmile.cli.backup import backup
from lastmile.cli.clean import clean
from lastmile.cli.config import config
from lastmile.cli.contract import contract
from lastmile.cli.dbt import dbt
from lastmile.cli.dbt_ci import dbt_ci
from lastmile.cli.dbt_sources import dbt_sources
from lastmile.cli.doctor import doctor
from lastmile.cli.down import down
from lastmile.cli.drop import drop
from lastmile.cli.env import env
from lastmile.cli.experiments import experiments
from lastmile.cli.exports import exports
from lastmile.cli.features import features
from lastmile.cli.health import health
from lastmile.cli.init import init
from lastmile.cli.keys import keys
from lastmile.cli.logs import logs
from lastmile.cli.migrate import migrate
from lastmile.cli.models import models
from lastmile.cli.quarantine import quarantine
from lastmile.cli.reload import reload
from lastmile.cli.rescued import rescued
from lastmile.cli.restore import restore
from lastmile.cli.sample import sample
from lastmile.cli.schema import schema
from lastmile.cli.source import source
from lastmile.cli.status import status
from lastmile.cli.stream import stream
from lastmile.cli.stream_demo import demo
from lastmile.cli.stream_keys import stream_keys
from lastmile.cli.unrouted import unrouted
from lastmile.cli.up import up
from lastmile.cli.users import users
from lastmile.errors import UserError
from lastmile.project import Project

app = typer.Typer(
    name="lastmile",
    help="Files from the field in, decisions out. Start with `lastmile up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    init, up, down, reload, status, health, logs, drop, sample, backfill, api, env, clean, restore, doctor, migrate,
    dbt_ci, dbt_sources,
):  # fmt: skip
    app.command()(command)
app.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(dbt)
app.add_typer(config, name="config")
app.add_typer(alerts, name="alerts")
app.add_typer(backup, name="backup")
app.add_typer(contract, name="contract")
app.add_typer(models, name="models")
app.add_typer(experiments, name="experiments")
app.add_typer(exports, name="exports")
app.add_typer(features, name="features")
app.add_typer(quarantine, name="quarantine")
app.add_typer(rescued, name="rescued")
app.add_typer(source, name="source")
app.add_typer(schema, name="schema")
stream.command()(demo)
stream.add_typer(stream_keys, name="key")
app.add_typer(stream, name="stream")
app.add_typer(unrouted, name="unrouted")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command line; a mistake that the user can correct is one line on stderr and exit code 1."""
    try:
        if project := Project.find():
            project.make_importable()
        app()
    except UserError as error:
        print(f"lastmile: {error}", file=sys.stderr)
        sys.exit(1)
