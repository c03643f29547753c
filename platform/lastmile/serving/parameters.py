"""What parameters and fields may be: text that Postgres can hold, numbers that every client of JSON can write, days and
moments as ISO 8601 writes them.

Bounds of lists hold a URL with all its parameters, percent-encoded, below the 64 KB that the server reads of one.
"""

import re
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator, Field

NO_NUL = r"^[^\x00]*$"
#: Above it a number of JSON is no longer exact everywhere.
MOST = 2**53

Text = Annotated[str, Field(max_length=256, pattern=NO_NUL)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=NO_NUL)]
#: Of a table or a column.
Identifier = Annotated[str, Field(max_length=63, pattern=NO_NUL)]
Id = Annotated[int, Field(ge=1, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Filters = Annotated[list[Text], Field(max_length=8)]

DATASET, LAYER, TABLE, MODEL = ["hhinfo"], ["marts"], ["fct_household_year"], ["vulnerability"]

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _as_day(value: Any) -> Any:
    """A number would be read as seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("a day such as 2024-01-31")


def _as_moment(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    raise ValueError("a date and time with its offset, such as 2024-05-01T08:00:00Z")


def named(schema: dict[str, Any]) -> None:
    """For an object whose fields have a `Name` each: as pydantic writes it, others would be free."""
    schema["additionalProperties"] = next(iter(schema.pop("patternProperties").values()))
    schema["propertyNames"] = {"minLength": 1, "maxLength": 256, "pattern": NO_NUL}


Day = Annotated[date, BeforeValidator(_as_day)]
Moment = Annotated[datetime, BeforeValidator(_as_moment)]
After = Annotated[Id | None, Query(description="`after` of the page before")]
