"""Documents: JSON objects of apps by collection and id, in Postgres, in place of a document database.

create(connection, "plots", None, {"crop": {"name": "maize"}}, "key:...")
page(connection, "plots", [parse("crop.name.eq.maize")], limit=100)
"""

from lastmile.documents.conditions import Condition, parse
from lastmile.documents.patch import merged
from lastmile.documents.stored import (
    Changed,
    Document,
    Exists,
    Repeated,
    collections,
    create,
    delete,
    find,
    page,
    put,
)

__all__ = [
    "Changed",
    "Condition",
    "Document",
    "Exists",
    "Repeated",
    "collections",
    "create",
    "delete",
    "find",
    "merged",
    "page",
    "parse",
    "put",
]
