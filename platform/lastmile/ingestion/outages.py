"""Whose fault it is: the drop's, or that of what the intake stands on: disk, memory, files, store, database.

The second is never held against a drop: it is raised, and the drop is taken again once the environment is well.
"""

import errno
import re
from collections.abc import Iterator

import psycopg
from psycopg import errors

from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused

#: What the database says of values and rows that it cannot hold. Everything else it says is its own trouble.
_OF_THE_DROP = (errors.DataError, errors.IntegrityError, errors.ProgramLimitExceeded)

_NUMBERS = {
    errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS, errno.EAGAIN,
    errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED,
}  # fmt: skip
#: Polars tells the number in words only.
_IN_WORDS = re.compile(r"\b(?:os error |errno )(\d+)", re.IGNORECASE)


def is_outage(error: BaseException) -> bool:
    """Whether the error, or one behind it, says that the environment failed."""
    return any(_is_environments(one) for one in _with_causes(error))


def _is_environments(error: BaseException) -> bool:
    if isinstance(error, psycopg.Error):
        return not isinstance(error, _OF_THE_DROP)
    if isinstance(error, UserError | MemoryError):
        return True
    if isinstance(error, Refused):
        return False  # its words may be the drop's own
    numbers = {int(number) for number in _IN_WORDS.findall(str(error))}
    if isinstance(error, OSError) and error.errno is not None:
        numbers.add(error.errno)
    return not numbers.isdisjoint(_NUMBERS) or "can't start new thread" in str(error)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
