"""The log of answers and exposures, written in bulk by a thread: no answer waits for the database.

What is not written yet waits while the database is away, up to a bound; what is over it is lost, and counted. At the
end all is written. A process that is killed loses what it answered within the last half second.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection, Error, InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from lastmile.learning.experiments import exposure_log
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.experiments.exposure_log import Exposure
from lastmile.learning.registry.answers import Answer, keep
from lastmile.serving.state import Serving

log = logging.getLogger(__name__)

_SECONDS = 0.5
#: Of each kind; an answer is about a kilobyte.
MOST_WAITING = 100_000
_MOST_AT_ONCE = 5_000
#: Tries at the end, so that a database that is away keeps no process from ending.
_LAST_TRIES = 3

_Exposed = tuple[Experiment, Exposure]


class Log:
    """`lost` is called with the number of rows that found no place."""

    def __init__(self, here: Serving, lost: Callable[[int], None]) -> None:
        self._here, self._lost = here, lost
        self._answers: deque[Answer] = deque()
        self._exposures: deque[_Exposed] = deque()
        self._stopping, self._lock = threading.Event(), threading.Lock()
        self._writer = threading.Thread(target=self._write, name="answers", daemon=True)

    def open(self) -> None:
        self._writer.start()

    def close(self) -> None:
        """Writes what waits."""
        self._stopping.set()
        self._writer.join()
        for _ in range(_LAST_TRIES):
            if self._written():
                return
        self._lost(len(self._answers) + len(self._exposures))

    def add(self, answered: Sequence[Answer], exposed: Sequence[_Exposed] = ()) -> None:
        """Called on the event loop: it only appends, and what finds no place is lost."""
        with self._lock:
            self._wait(self._answers, answered)
            self._wait(self._exposures, exposed)

    def _wait(self, waiting: deque[Any], new: Sequence[Any]) -> None:
        room = max(MOST_WAITING - len(waiting), 0)
        waiting.extend(new[:room])
        if len(new) > room:
            self._lost(len(new) - room)

    def _write(self) -> None:
        while not self._stopping.wait(_SECONDS):
            self._written()

    def _written(self) -> bool:
        """Whether nothing waits any more."""
        if not (self._answers or self._exposures):
            return True
        try:
            with self._here.writing() as connection:
                # Exposures first: they decide what a unit is answered next.
                while self._some(connection, self._exposures, _expose) or self._some(connection, self._answers, keep):
                    pass
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            log.warning("answers wait to be logged: %s", error)
            return False
        return True

    def _some(self, connection: Connection, waiting: deque[Any], write: Callable[[Connection, list[Any]], None]) -> int:
        """Write some of what waits; how many. They wait on where the database is away."""
        with self._lock:
            some = [waiting.popleft() for _ in range(min(len(waiting), _MOST_AT_ONCE))]
        try:
            if some:
                write(connection, some)
        except (OperationalError, InterfaceError, PoolTimeout):
            with self._lock:
                waiting.extendleft(reversed(some))
            raise
        except Error:
            log.exception("%s rows of the log are refused, and lost", len(some))
            self._lost(len(some))
        return len(some)


def _expose(connection: Connection, exposed: list[_Exposed]) -> None:
    by_plan: dict[tuple[str, float | None], list[Exposure]] = {}
    for experiment, exposure in exposed:
        by_plan.setdefault((experiment.name, experiment.share), []).append(exposure)
    for (name, share), exposures in by_plan.items():
        exposure_log.log(connection, name, share, exposures)
