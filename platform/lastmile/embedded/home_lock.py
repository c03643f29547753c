"""One `up` at a time in a home: a lock that the system drops when its holder dies, with the holder's number in it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lastmile.errors import UserError
from lastmile.settings import Settings


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Hold the home. Raises UserError naming the process that has it, or where there can be no home."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make {settings.home}: {error.strerror}; set LASTMILE_HOME to a folder you can write to"
        ) from None
    with (settings.home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"lastmile is already up in {settings.home} (process {holder(settings)}); stop it with `lastmile down`,"
                " or choose another LASTMILE_HOME"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def holder(settings: Settings) -> int | None:
    """The process that has the home, or None."""
    file = settings.home / "up.lock"
    if not file.exists():
        return None
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return int(lock.read() or 0) or None
    return None
