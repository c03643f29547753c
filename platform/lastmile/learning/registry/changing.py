"""Which version is in use, changed by a person: what commands and the API call.

Each returns what became of it, in words, and raises UserError where it cannot be done, with what to do.
"""

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.registry import deployments
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.versions import version_of


def promote(connection: Connection, name: str, version: str, cause: Cause) -> str:
    """Put a version in use, whatever it was judged; candidates may still replace it."""
    chosen, current = version_of(connection, name, version), deployments.champion(connection, name)
    outcome = deployments.promote(connection, chosen, current.version if current else None, cause)
    if outcome == "held":
        raise UserError(f"{name} is held: `lastmile models release {name} --why ...` first")
    if outcome == "changed":
        raise UserError(f"another version of {name} came into use at this moment: look, and try again")
    return f"version {chosen.version} of {name} is in use{' already' if outcome == 'same' else ''}"


def roll_back(connection: Connection, name: str, version: str | None, cause: Cause) -> str:
    """Put an earlier version in use at once, the one before where none is named, and hold it."""
    before = deployments.earlier(connection, name)
    if version is None and not before:
        raise UserError(f"no other version of {name} was ever in use: say which with a version number")
    chosen = version_of(connection, name, version) if version else before[0]
    deployments.roll_back(connection, chosen, cause)
    return f"version {chosen.version} of {name} is in use, and held until `lastmile models release {name}`"


def hold(connection: Connection, name: str, cause: Cause) -> str:
    """Keep candidates from replacing the version in use."""
    return f"version {deployments.hold(connection, name, cause).version} of {name} is held"


def release(connection: Connection, name: str, cause: Cause) -> str:
    """Let candidates replace the version in use again."""
    return f"version {deployments.release(connection, name, cause).version} of {name} may be replaced again"
