"""Whether the store can be listed: in a thread of its own, since a request to a dead one may take minutes."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.store import LocalStore

from lastmile.errors import Unreachable, UserError
from lastmile.operations.alerts.rule import Reading
from lastmile.settings import Settings
from lastmile.store import Store, open_store
from lastmile.store.stored_object import translated_errors

_EVERY_SECONDS, _PATIENCE_SECONDS = 60.0, 30.0


class Objects:
    """The store as it was last found. A bucket is listed once a minute at most, while it answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self._found: Reading | None = None
        self._thread: threading.Thread | None = None
        self._began = 0.0

    def readings(self) -> Iterator[Reading]:
        """1 where it cannot be listed, or that takes too long; nothing before it is known."""
        now = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            is_fine = self._found is not None and self._found.value == 0
            if not is_fine or now - self._began >= _EVERY_SECONDS:
                self._began = now
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()
                self._thread.join(1.0)
        elif now - self._began >= _PATIENCE_SECONDS:
            self._found = Reading(1, "", f"no answer for {now - self._began:.0f} s")
        if self._found is not None:
            yield self._found

    def _look(self) -> None:
        try:
            self._store = self._store or open_store(self._settings)
            probe(self._store)
        except (UserError, OSError) as error:
            self._found = Reading(1, "", str(error))
        else:
            self._found = Reading(0)


def probe(store: Store) -> None:
    """Raises UserError or OSError where the store cannot be listed."""
    with translated_errors(store.url, "list objects"):
        next(iter(obstore.list(store.backend, "landing", chunk_size=1)), None)
    if isinstance(store.backend, LocalStore) and not Path(str(store.backend.prefix)).is_dir():
        raise Unreachable(f"the folder {store.backend.prefix} is gone")
