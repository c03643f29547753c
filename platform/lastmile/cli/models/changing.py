"""`lastmile models promote | rollback | hold | release`: which version is in use is changed at once, with a reason.

Whatever is made by the champion becomes stale by it, and the platform makes it again.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.cli.cause import Who, Why, cause
from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.models.options import Name
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from lastmile.learning.registry.events import Cause

Version = Annotated[str, typer.Argument(help="Version, such as 3.")]


def promote(name: Name, version: Version, why: Why, who: Who = None) -> None:
    """Put a version in use, whatever it was judged; candidates may still replace it.

    Example: lastmile models promote vulnerability 3 --why "checked by hand: the jump is real"
    """
    from lastmile.learning.registry import deployments
    from lastmile.learning.registry.versions import version_of

    def change(connection: "Connection", because: "Cause") -> str:
        chosen, current = version_of(connection, name, version), deployments.champion(connection, name)
        outcome = deployments.promote(connection, chosen, current.version if current else None, because)
        if outcome == "held":
            raise UserError(f"{name} is held: `lastmile models release {name} --why ...` first")
        if outcome == "changed":
            raise UserError(f"another version of {name} came into use at this moment: look, and try again")
        return f"version {chosen.version} of {name} is in use{' already' if outcome == 'same' else ''}"

    _change(name, cause(why, who), change)


def rollback(
    name: Name,
    why: Why,
    version: Annotated[str | None, typer.Argument(help="Version (default: the one in use before).")] = None,
    who: Who = None,
) -> None:
    """Put an earlier version in use at once, and hold it: no candidate replaces it until it is released.

    Example: lastmile models rollback vulnerability --why "version 4 misses two villages"
    """
    from lastmile.learning.registry import deployments
    from lastmile.learning.registry.versions import version_of

    def change(connection: "Connection", because: "Cause") -> str:
        before = deployments.earlier(connection, name)
        if version is None and not before:
            raise UserError(f"no other version of {name} was ever in use: say which with a version number")
        chosen = version_of(connection, name, version) if version else before[0]
        deployments.roll_back(connection, chosen, because)
        return f"version {chosen.version} of {name} is in use, and held until `lastmile models release {name}`"

    _change(name, cause(why, who), change)


def hold(name: Name, why: Why, who: Who = None) -> None:
    """Keep candidates from replacing the version in use.

    Example: lastmile models hold vulnerability --why "the campaign runs until May"
    """
    from lastmile.learning.registry import deployments

    def change(connection: "Connection", because: "Cause") -> str:
        return f"version {deployments.hold(connection, name, because).version} of {name} is held"

    _change(name, cause(why, who), change)


def release(name: Name, why: Why, who: Who = None) -> None:
    """Let candidates replace the version in use again.

    Example: lastmile models release vulnerability --why "the campaign is over"
    """
    from lastmile.learning.registry import deployments

    def change(connection: "Connection", because: "Cause") -> str:
        return f"version {deployments.release(connection, name, because).version} of {name} may be replaced again"

    _change(name, cause(why, who), change)


def _change(name: str, because: "Cause", change: "Callable[[Connection, Cause], str]") -> None:
    """Change the registry, then let Dagster know."""
    from lastmile.embedded.instance import dagster_instance
    from lastmile.learning.registry.deployments import deployment
    from lastmile.orchestration.learning.champions import report

    settings = Settings.from_environment()
    declared_model(settings, name)
    with opened(settings) as (connection, _):
        print(change(connection, because))
        if found := deployment(connection, name):
            with dagster_instance(settings) as instance:
                report(instance, connection, found)
