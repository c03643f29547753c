"""Fetching only what is new: by which value of a record, and how a request says so."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Incremental:
    """Records from the largest value of a field on that was loaded.

    Records that the server sends again, because of the overlap or in spite of the cursor, are not landed twice.
    """

    #: The field of a record, a path such as `meta.updated_at`; its values are numbers, dates and times, or texts that
    #: sort as they are.
    field: str
    #: The parameter of the request that says from where on.
    parameter: str
    #: What the first fetch sends; None: the parameter is left out, so that everything comes.
    start: str | None = None
    #: So much before the cursor is fetched again, for records that appear late: of moments a time, of numbers a number.
    overlap: timedelta | int | None = None
