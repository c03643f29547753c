"""`lastmile env`: the variables that another tool needs to work with this installation, next to the platform."""

import json
import shlex
from enum import StrEnum
from typing import Annotated

import typer

from lastmile.settings import Settings


class Format(StrEnum):
    SHELL = "shell"
    DOTENV = "dotenv"
    JSON = "json"


def env(
    form: Annotated[
        Format, typer.Option("--format", help="Lines for a shell, for a .env file, or one JSON object.")
    ] = Format.SHELL,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> None:
    """Print what dagster, dg, dbt, psql or a notebook needs to work next to the platform that is up.

    The database's password is among it. A `dagster dev` or `dagster-webserver` started so shows the code as it is in
    the folder, on the runs and data of the platform; what it launches, the platform runs, and sensors stay the
    platform's work.

    Example: eval "$(lastmile env)" && dagster dev -w workspace.yaml
    """
    from lastmile.embedded.database import running_url
    from lastmile.embedded.services import client_environment, prepare_client_home
    from lastmile.warehouse.dbt.profile import write_profile

    settings = Settings.from_environment()
    url = running_url(settings)
    prepare_client_home(settings)
    write_profile(url)
    print(_formatted(client_environment(settings, url), Format.JSON if as_json else form))


def _formatted(variables: dict[str, str], form: Format) -> str:
    if form is Format.JSON:
        return json.dumps(variables, indent=2)
    if form is Format.DOTENV:
        return "\n".join(f"{name}={_dotenv_quoted(value)}" for name, value in variables.items())
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _dotenv_quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
