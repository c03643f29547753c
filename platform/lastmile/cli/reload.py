"""`lastmile reload`: let the platform that is up read its code anew, as the button in the web UI does."""

import time

import typer
from rich.console import Console

from lastmile.errors import UserError
from lastmile.settings import Settings

_SECONDS = 120


def reload() -> None:
    """Read the code anew: a saved model, contract or asset is then what the web UI shows and what runs make.

    Runs at work go on with the code they began with. The exit code is 1 where the code does not load.

    Example: lastmile reload
    """
    from lastmile.embedded.home_lock import holder
    from lastmile.orchestration.code_reload import reload_code

    settings, began = Settings.from_environment(), time.monotonic()
    if holder(settings) is None:
        raise UserError(f"nothing is up in {settings.home}; `lastmile up` reads the code as it is")
    fault = reload_code(settings, _SECONDS)
    if fault:
        Console(stderr=True).print(fault, markup=False, highlight=False)
        raise typer.Exit(1)
    Console().print(f"reloaded in {time.monotonic() - began:.1f} s")
