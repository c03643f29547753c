"""The mark of a home whose restore has not finished. Such a home is refused, and may be restored into again."""

import shutil
from pathlib import Path

from lastmile.embedded import postgres
from lastmile.errors import UserError

_MARK = "restoring"


def is_unfinished(home: Path) -> bool:
    """Whether a restore into it was begun and did not finish."""
    return (home / _MARK).exists()


def begin_restore(home: Path) -> None:
    """Mark the home, after removing what a restore that was killed has left in it.

    Raises UserError where there is a home already.
    """
    if is_unfinished(home):
        postgres.stop(home / "postgres")
        for name in ("postgres", "store"):
            shutil.rmtree(home / name, ignore_errors=True)
    elif (home / "postgres" / "data").exists():
        raise UserError(f"{home} has a database already, and it is left alone: name a new home with --into")
    (home / _MARK).touch()


def end_restore(home: Path) -> None:
    """The home is whole."""
    (home / _MARK).unlink()


def expect_whole(home: Path) -> None:
    """Raises UserError for a home whose restore did not finish."""
    if is_unfinished(home):
        raise UserError(
            f"the restore into {home} did not finish: run `lastmile restore` with --into {home} again, or remove it"
        )
