"""`lastmile schema`: the registry of schemas, and contracts in it."""

import typer

from lastmile.cli.schema.looking import overview, show
from lastmile.cli.schema.publishing import check, publish

schema = typer.Typer(help="Schemas of messages: what the registry has; contracts published, and held against it.")
schema.command("list")(overview)
for command in (show, publish, check):
    schema.command()(command)
