"""The entry point of the platform's image: `python -m lastmile.embedded.container COMMAND...` becomes the command.

A container is started with the database, the store and the secret in its environment: by Compose, the chart, or
Dagster's launcher for a run. The command gets the surroundings that `lastmile up` gives what it starts: the address of
the database for Dagster and for libpq, and dagster.yaml. Without a database of its own nothing is added.

A DAGSTER_HOME that is given is left as it is, since a cluster mounts its dagster.yaml there.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lastmile.embedded.services import environment, prepare_dagster_home
from lastmile.errors import UserError
from lastmile.settings import Settings


def surroundings(settings: Settings) -> dict[str, str]:
    """The variables of a command in this container; dagster.yaml is written where no DAGSTER_HOME is given."""
    if settings.given_database_url is None:
        return dict(os.environ)
    variables = environment(settings, settings.given_database_url)
    if given := os.environ.get("DAGSTER_HOME"):
        return {**variables, "DAGSTER_HOME": given}
    prepare_dagster_home(settings)
    return variables


def main(command: Sequence[str]) -> None:
    """Become the command, found next to this Python or on PATH."""
    if not command:
        sys.exit("lastmile: expected a command, such as `lastmile status`")
    try:
        variables = surroundings(Settings.from_environment())
    except UserError as error:
        sys.exit(f"lastmile: {error}")
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables.get('PATH', os.defpath)}"
    try:
        os.execvpe(command[0], list(command), variables)  # noqa: S606  # it takes the place of this process
    except OSError as error:
        sys.exit(f"lastmile: cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
