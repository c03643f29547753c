"""Making the database ready in a process of its own: `python -m` this module.

It applies migrations and ends the runs of a platform that is gone. What that needs, Alembic and Dagster, would stay in
the memory of `lastmile up` for as long as it runs, 25 and 65 MB.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping

from lastmile.errors import UserError
from lastmile.orchestration.forks.client import Forked, fork
from lastmile.orchestration.runs.changes import has_runs
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect, database_url
from lastmile.warehouse.migrate import is_current


def make_ready(url: str, variables: Mapping[str, str]) -> None:
    """Nothing is done, and no process started, where nothing is to be done. Raises UserError as `migrate` does."""
    if is_current(url) and not _has_runs(url):
        return
    with tempfile.TemporaryFile() as said:
        try:
            process: Forked | subprocess.Popen[bytes] = fork(
                "migration", __name__, [], variables, said.fileno(), is_leader=True
            )
        except OSError:
            command = [sys.executable, "-m", __name__]
            process = subprocess.Popen(command, env=dict(variables), stdout=said, stderr=said)
        if code := process.wait():
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise UserError(words or f"the database could not be migrated: the process ended with code {code}")


def _has_runs(url: str) -> bool:
    with connect(url) as connection:
        return has_runs(connection)


def _main() -> int:
    from dagster import DagsterInstance

    from lastmile.orchestration.runs.workers import end_all
    from lastmile.warehouse.migrate import migrate

    url = database_url(Settings.from_environment())
    try:
        migrate(url)
        if _has_runs(url):
            with DagsterInstance.get() as instance:
                end_all(instance)
    except UserError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
