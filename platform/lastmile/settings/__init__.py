"""Everything that can be set, typed, by concern; each is a variable of the environment, read and checked at the start.

A concern is a frozen dataclass whose fields are `variable`s; `load` reads it, `all` knows all of them.
"""

from lastmile.settings.installation import Settings

__all__ = ["Settings"]
