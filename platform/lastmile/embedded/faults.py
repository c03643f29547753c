"""What keeps the platform from its work, in sentences: code that does not load, files left out, ticks that fail."""

from lastmile.contracts.broken import published
from lastmile.errors import UserError
from lastmile.settings import Settings


def faults(settings: Settings) -> list[str]:
    """Of the installation in this home; of one that is down, what its code server found last."""
    from lastmile.embedded.home_lock import holder

    if holder(settings) is None:
        return [str(one) for one in published(settings.home)]
    return [*code_faults(settings), *_failing_ticks(settings)]


def code_faults(settings: Settings) -> list[str]:
    """What of the code does not load, on a platform that is up."""
    if error := _load_error(settings):
        return [f"the code does not load: {' '.join(error.split())}; correct it, then `lastmile reload`"]
    return [str(one) for one in published(settings.home)]


def does_not_load(settings: Settings) -> bool:
    """Whether the code as a whole does not load, so that nothing can be made at all."""
    return _load_error(settings) is not None


def _load_error(settings: Settings) -> str | None:
    from lastmile.orchestration.code_reload import load_error

    try:
        return load_error(settings)
    except FileNotFoundError:  # it is only starting
        return None


def _failing_ticks(settings: Settings) -> list[str]:
    from lastmile.embedded.database import running_url
    from lastmile.orchestration.ticks import failing_ticks
    from lastmile.warehouse.connections import connect

    try:
        with connect(running_url(settings)) as connection:
            return failing_ticks(connection)
    except UserError:  # the database is being started again: nothing is known
        return []
