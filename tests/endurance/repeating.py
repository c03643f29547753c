"""Work that goes on next to other work, in a thread of its own."""

import threading
from collections.abc import Callable


class Repeating:
    """Calls `work` after each pause of `seconds()`, from `start` until `stop`, which raises what ended it before."""

    def __init__(self, work: Callable[[], None], seconds: Callable[[], float]) -> None:
        self._work, self._seconds = work, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._repeat)
        self._error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        if self._error:
            raise self._error

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def _repeat(self) -> None:
        try:
            while not self._stopped.wait(self._seconds()):
                self._work()
        except Exception as error:
            self._error = error
