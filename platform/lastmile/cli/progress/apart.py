"""Showing the work in a process of its own: `python -m lastmile.cli.progress.apart <seconds since the epoch>`.

What waits for the next drop, for days, then needs neither Dagster nor the 60 MB that come with it.
"""

import logging
import subprocess
import sys

import typer
from rich.console import Console

from lastmile.cli.progress.live import show_work
from lastmile.embedded.session import Session, disturbed_at
from lastmile.errors import UserError
from lastmile.settings import Settings

_POLL_SECONDS = 1.0
#: Exit codes: nothing failed, something did, the platform cannot go on.
_SUCCEEDED, _FAILED, _GIVEN_UP = 0, 1, 2


def show_work_apart(running: Session) -> bool:
    """As `show_work`, for the runs that the session counts, while the platform is kept up from here.

    Raises typer.Exit where it cannot go on, which is then said.
    """
    shown = subprocess.Popen([sys.executable, "-m", __name__, str(running.started_at)])
    try:
        while shown.poll() is None:
            running.keep_up()
            _wait(shown)
    finally:
        if shown.poll() is None:
            shown.terminate()
            shown.wait()
    if shown.returncode == _GIVEN_UP:
        raise typer.Exit(1)
    return shown.returncode == _SUCCEEDED


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return


def _main(since: float) -> int:
    from lastmile.store import open_store
    from lastmile.warehouse.connections import database_url

    logging.basicConfig(level=logging.ERROR)  # Dagster's attempts to reach a database that starts fill the screen
    settings = Settings.from_environment()
    try:
        running = Session(settings, open_store(settings), database_url(settings), lambda: disturbed_at(settings), since)
        return _SUCCEEDED if show_work(running, Console()) else _FAILED
    except UserError as error:
        print(f"lastmile: {error}", file=sys.stderr)
        return _GIVEN_UP
    except KeyboardInterrupt:
        return _FAILED


if __name__ == "__main__":
    sys.exit(_main(float(sys.argv[1])))
