"""`lastmile reload`: let the platform that is up read its code anew, as the button in the web UI does."""

import time

from rich.console import Console

from lastmile.errors import UserError
from lastmile.settings import Settings

_SECONDS = 120


def reload() -> None:
    """Read the code anew: a saved model, contract or asset is then what the web UI shows and what runs make.

    Runs at work go on with the code they began with. A file that cannot be used is left out and named; the exit code
    is then 1, as it is where nothing loads.

    Example: lastmile reload
    """
    from lastmile.contracts.broken import published
    from lastmile.embedded.home_lock import holder
    from lastmile.orchestration.code_reload import reload_code

    settings, began = Settings.from_environment(), time.monotonic()
    if holder(settings) is None:
        raise UserError(f"nothing is up in {settings.home}; `lastmile up` reads the code as it is")
    fault = reload_code(settings, _SECONDS)
    said = [fault] if fault else [str(one) for one in published(settings.home)]
    for line in said:
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    if said:
        what = "the code does not load" if fault else f"reloaded without {len(said)} broken files"
        raise UserError(f"{what}: correct what is said above, then `lastmile reload` again")
    Console().print(f"reloaded in {time.monotonic() - began:.1f} s")
