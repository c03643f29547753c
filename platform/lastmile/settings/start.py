"""What every process does first: it looks at its settings, and does not start with one that cannot be."""

import sys

from lastmile.errors import UserError
from lastmile.project import Project
from lastmile.settings.all import check, unknown


def check_at_start() -> None:
    """A line on stderr for each variable that is not known. Exits with code 1 where a setting cannot be used."""
    try:
        warn_of_unknown()
        check()
    except UserError as error:
        raise SystemExit(f"lastmile: {error}") from None


def start_in_project() -> None:
    """As `check_at_start`, for a process that reads declarations: they may import what is in the project."""
    check_at_start()
    if project := Project.find():
        project.make_importable()


def warn_of_unknown() -> None:
    """A line on stderr for each variable that looks like one of ours and is none: most are misspelt."""
    for sentence in unknown():
        print(f"lastmile: warning: {sentence}", file=sys.stderr, flush=True)
