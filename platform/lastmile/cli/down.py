"""`lastmile down`: stop the platform of this home, and whatever a killed one left behind."""

import os
import signal
import time

from rich.console import Console

from lastmile.embedded import postgres
from lastmile.embedded.home_lock import holder
from lastmile.embedded.processes import stop_recorded
from lastmile.errors import UserError
from lastmile.settings import Settings

_SECONDS = 60


def down() -> None:
    """Stop the platform of this home. Nothing is lost; `lastmile up` goes on where it was.

    Example: lastmile down
    """
    settings, console = Settings.from_environment(), Console()
    running = holder(settings)
    if running is not None:
        os.kill(running, signal.SIGTERM)
        _wait_until_gone(settings)
    left = stop_recorded(settings.home / "processes.json")
    was_up = postgres.running(settings.postgres_folder) is not None
    postgres.stop(settings.postgres_folder)
    console.print("stopped" if running or left or was_up else f"nothing was running in {settings.home}")


def _wait_until_gone(settings: Settings) -> None:
    for _ in range(_SECONDS * 10):
        if holder(settings) is None:
            return
        time.sleep(0.1)
    raise UserError(
        f"process {holder(settings)} did not stop within {_SECONDS} s; end it with `kill -9` and run this again"
    )
