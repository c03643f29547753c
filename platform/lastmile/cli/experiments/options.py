"""Arguments that mean the same in several of the commands, and the model that they are about."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.learning.declarations.model import Model
    from lastmile.learning.registry.events import Cause

Name = Annotated[str, typer.Argument(help="The experiment.", metavar="NAME")]
Why = Annotated[str, typer.Option(help="The reason, kept with the event.")]
Who = Annotated[str | None, typer.Option(help="Who does it (default: the user of this machine)")]


def cause(why: str, who: str | None) -> "Cause":
    """Raises UserError where the reason is empty."""
    from lastmile.learning.registry.events import Cause

    if not why.strip():
        raise UserError("--why is empty: give the reason, for those who read the history later")
    return Cause(why, who or getpass.getuser())


def declared_model(settings: Settings, name: str) -> "Model":
    """Raises UserError where no file declares it."""
    from lastmile.learning.declarations.loading import load_models

    models = load_models(settings.assets)
    if name not in models:
        broken = "".join(f"; {one}" for one in models.broken if name in one.names)
        raise UserError(f"no file declares the model {name}; declared: {', '.join(models) or 'none'}{broken}")
    return models[name].value
