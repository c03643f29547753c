"""Noticing at once that a drop has arrived: a folder is watched, the queue of a bucket's notifications waited on.

Where neither can be, and whenever it fails, the sensors look every few seconds as they would without; once it works
again, as seldom as the rest. Either way what there is, the sensor's listing finds.
"""

import logging
import time
from collections.abc import Callable, Iterator

from lastmile.errors import UserError
from lastmile.orchestration.runs.pace import SENSORS, Pace
from lastmile.store import Store
from lastmile.store.landing import LANDING
from lastmile.store.queue import waiting
from lastmile.store.watching import changes, folder_of

#: Between two looks of the sensors where nothing says that a drop has arrived.
UNWATCHED_SECONDS = 5.0
#: Before another attempt after a failure.
RETRY_SECONDS = 30.0
#: The sensor needs a moment to empty the queue, which would answer at once meanwhile.
_AFTER_A_MESSAGE_SECONDS = 2.0

log = logging.getLogger(__name__)


def follow(pace: Pace, store: Store, queue_url: str | None, retry_seconds: float = RETRY_SECONDS) -> None:
    """Wake the sensors at each arrival, for ever; returns where arrivals cannot be noticed."""
    said = ""
    while True:
        pace.look_at_least(SENSORS, UNWATCHED_SECONDS)
        try:
            source = _source(store, queue_url)
            if source is None:
                return
            for has_arrived in source():
                pace.look_at_least(SENSORS, None)
                if has_arrived:
                    pace.wake(SENSORS)
        except (OSError, UserError) as error:
            if str(error) != said:
                log.warning("arrivals of drops are looked for every %.0f s: %s", UNWATCHED_SECONDS, error)
            said = str(error)
            pace.look_at_least(SENSORS, UNWATCHED_SECONDS)
            time.sleep(retry_seconds)


def _source(store: Store, queue_url: str | None) -> Callable[[], Iterator[bool]] | None:
    """What yields whenever it is known to work, with whether something may have arrived since."""
    if queue_url:
        return lambda: _messages(queue_url)
    folder = folder_of(store, LANDING)
    return (lambda: (True for _ in changes(folder))) if folder else None


def _messages(queue_url: str) -> Iterator[bool]:
    for has_come in waiting(queue_url):
        yield has_come
        if has_come:
            time.sleep(_AFTER_A_MESSAGE_SECONDS)
