"""What the platform fetches: from REST APIs, from databases and their changes. Each run lands drops.

A source is declared in `assets/<domain>/sources/<name>.py`, as a variable `source`. A run of it fetches from where the
last one ended, puts one object into the landing area, and leaves the rest to the intake. Where the next run begins
follows from what the ledger says is loaded, so it moves in the transaction in which the rows do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.operations.schedule import Schedule
    from lastmile.sources.declarations.authentication import Bearer, ClientCredentials, HeaderKey, QueryKey
    from lastmile.sources.declarations.changes import Changes
    from lastmile.sources.declarations.database import CursorColumn, Query, Table
    from lastmile.sources.declarations.incremental import Incremental
    from lastmile.sources.declarations.pagination import LinkHeader, NextCursor, Offset, PageNumber
    from lastmile.sources.declarations.rest import Rest
    from lastmile.sources.declarations.setting import Setting
    from lastmile.sources.declarations.source import Source

__all__ = [
    "Bearer",
    "Changes",
    "ClientCredentials",
    "CursorColumn",
    "HeaderKey",
    "Incremental",
    "LinkHeader",
    "NextCursor",
    "Offset",
    "PageNumber",
    "Query",
    "QueryKey",
    "Rest",
    "Schedule",
    "Setting",
    "Source",
    "Table",
]

_MODULES = {
    "lastmile.operations.schedule": ("Schedule",),
    "lastmile.sources.declarations.authentication": ("Bearer", "ClientCredentials", "HeaderKey", "QueryKey"),
    "lastmile.sources.declarations.changes": ("Changes",),
    "lastmile.sources.declarations.database": ("CursorColumn", "Query", "Table"),
    "lastmile.sources.declarations.incremental": ("Incremental",),
    "lastmile.sources.declarations.pagination": ("LinkHeader", "NextCursor", "Offset", "PageNumber"),
    "lastmile.sources.declarations.rest": ("Rest",),
    "lastmile.sources.declarations.setting": ("Setting",),
    "lastmile.sources.declarations.source": ("Source",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
