"""The model that a command names, as its file declares it."""

from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.learning.declarations.loading import Declared
    from lastmile.learning.declarations.model import Model

Name = Annotated[str, typer.Argument(help="Model, as `lastmile models list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]


def declared_model(settings: Settings, name: str) -> "Declared[Model]":
    """Raises UserError where there is none, with those there are."""
    from lastmile.learning.declarations.loading import load_models

    found = load_models(settings.assets)
    if name not in found:
        raise UserError(f"there is no model {name!r}; the models are: {', '.join(sorted(found)) or 'none'}")
    return found[name]
