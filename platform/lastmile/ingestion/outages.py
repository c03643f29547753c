"""Tells failures of the environment (disk, memory, files, store, database) from those of a drop.

A failure of the environment is never counted against a drop: it is raised, and the drop is retried later.
"""

import errno
import re
from collections.abc import Iterator

import psycopg
from psycopg import errors

from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused

#: Errors of the database about values and rows that it cannot store. All others are failures of its own.
_CAUSED_BY_DROP = (errors.DataError, errors.IntegrityError, errors.ProgramLimitExceeded)

_OUTAGE_ERRNOS = {
    errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS, errno.EAGAIN,
    errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED,
}  # fmt: skip
#: Polars reports the number only in its message.
_ERRNO_IN_MESSAGE = re.compile(r"\b(?:os error |errno )(\d+)", re.IGNORECASE)


def is_outage(error: BaseException) -> bool:
    """Whether the error, or one of its causes, is a failure of the environment."""
    return any(_is_of_environment(one) for one in _with_causes(error))


def _is_of_environment(error: BaseException) -> bool:
    if isinstance(error, psycopg.Error):
        return not isinstance(error, _CAUSED_BY_DROP)
    if isinstance(error, UserError | MemoryError):
        return True
    if isinstance(error, Refused):
        return False  # its message may quote the drop
    numbers = {int(number) for number in _ERRNO_IN_MESSAGE.findall(str(error))}
    if isinstance(error, OSError) and error.errno is not None:
        numbers.add(error.errno)
    return not numbers.isdisjoint(_OUTAGE_ERRNOS) or "can't start new thread" in str(error)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
