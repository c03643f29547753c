"""`lastmile models promote | rollback | hold | release`: which version is in use is changed at once, with a reason.

Whatever is made by the champion becomes stale by it, and the platform makes it again.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.cli.cause import Who, Why, cause
from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.cli.models.options import Name
from lastmile.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from lastmile.learning.registry.events import Cause

Version = Annotated[str, typer.Argument(help="Version, such as 3.")]


def promote(name: Name, version: Version, why: Why, who: Who = None) -> None:
    """Put a version in use, whatever it was judged; candidates may still replace it.

    Example: lastmile models promote vulnerability 3 --why "checked by hand: the jump is real"
    """
    from lastmile.learning.registry import changing

    _change(name, cause(why, who), partial(changing.promote, name=name, version=version))


def rollback(
    name: Name,
    why: Why,
    version: Annotated[str | None, typer.Argument(help="Version (default: the one in use before).")] = None,
    who: Who = None,
) -> None:
    """Put an earlier version in use at once, and hold it: no candidate replaces it until it is released.

    Example: lastmile models rollback vulnerability --why "version 4 misses two villages"
    """
    from lastmile.learning.registry import changing

    _change(name, cause(why, who), partial(changing.roll_back, name=name, version=version))


def hold(name: Name, why: Why, who: Who = None) -> None:
    """Keep candidates from replacing the version in use.

    Example: lastmile models hold vulnerability --why "the campaign runs until May"
    """
    from lastmile.learning.registry import changing

    _change(name, cause(why, who), partial(changing.hold, name=name))


def release(name: Name, why: Why, who: Who = None) -> None:
    """Let candidates replace the version in use again.

    Example: lastmile models release vulnerability --why "the campaign is over"
    """
    from lastmile.learning.registry import changing

    _change(name, cause(why, who), partial(changing.release, name=name))


def _change(name: str, because: "Cause", change: "Callable[..., str]") -> None:
    """Change the registry, then let Dagster know."""
    from lastmile.embedded.instance import dagster_instance
    from lastmile.learning.registry.deployments import deployment
    from lastmile.orchestration.learning.champions import report

    settings = Settings.from_environment()
    declared_model(settings, name)
    with opened(settings) as (connection, _):
        print(change(connection, cause=because))
        if found := deployment(connection, name):
            with dagster_instance(settings) as instance:
                report(instance, connection, found)
