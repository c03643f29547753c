"""A value that a declaration needs and must not hold: a secret, or an address that differs between installations."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lastmile.errors import UserError
from lastmile.settings.given import given
from lastmile.settings.sources import PREFIX


@dataclass(frozen=True)
class Setting:
    """The variable `LASTMILE_SOURCE_<...>`, given as any setting is: itself, in a file, or in AWS Secrets Manager."""

    name: str
    default: str | None = None

    def __post_init__(self) -> None:
        if not self.name.startswith(PREFIX) or self.name == PREFIX:
            raise UserError(f"setting {self.name!r} of a source: expected a name that begins with {PREFIX}")

    def value(self, environ: Mapping[str, str] = os.environ) -> str:
        """Raises UserError where it is not set and has no default."""
        found = given(self.name, environ)
        if found is not None:
            return found.text
        if self.default is None:
            raise UserError(f"{self.name} is not set, which a source needs; set it, or {self.name}_FILE to a file")
        return self.default
