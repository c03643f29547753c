"""What keeps the platform from its work, in sentences: code that does not load, files left out, ticks that fail."""

import os
from typing import TYPE_CHECKING

from lastmile.contracts.broken import published
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

_SENSORS = ("landing", "automation")


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


def failing_ticks(instance: "DagsterInstance") -> list[str]:
    """The error of each sensor whose newest finished tick failed."""
    found = []
    for state in instance.all_instigator_state():
        if state.instigator_name not in _SENSORS:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=2)
        finished = [tick for tick in ticks if tick.status.value != "STARTED"]
        if finished and finished[0].is_failure:
            said = finished[0].error.message.strip() if finished[0].error else "no message"
            found.append(f"the {state.instigator_name} sensor fails: {said}")
    return found


def _failing_ticks(settings: Settings) -> list[str]:
    """The same of the installation in this home, whose Dagster need not be that of this process."""
    from lastmile.embedded.database import running_url
    from lastmile.embedded.services import environment

    before = dict(os.environ)
    try:
        os.environ.update(environment(settings, running_url(settings)))
        from dagster import DagsterInstance

        with DagsterInstance.get() as instance:
            return failing_ticks(instance)
    except UserError:  # the database is being started again: nothing is known
        return []
    finally:
        os.environ.clear()
        os.environ.update(before)
