"""The model that a command names, as its file declares it."""

from typing import TYPE_CHECKING

from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.learning.declarations.loading import Declared
    from lastmile.learning.declarations.model import Model


def declared_model(settings: Settings, name: str) -> "Declared[Model]":
    """Raises UserError where no file declares it, with the models there are, and why one of that name is broken."""
    from lastmile.learning.declarations.loading import load_models

    models = load_models(settings.assets)
    if name not in models:
        broken = "".join(f"; {one}" for one in models.broken if name in one.names)
        raise UserError(f"no file declares the model {name}; declared: {', '.join(models) or 'none'}{broken}")
    return models[name]
