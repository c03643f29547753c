"""How a dataset may be cut in time: by what the names of its files say, else by a date that every row has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePath

from lastmile.contracts.partition import FORMATS, Unit
from lastmile.ingestion.draft.column import Column

#: Parts of a path in which a date is looked for, from its end.
PARTS = 4
_SHAPES: dict[Unit, str] = {
    "day": r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)",
    "month": r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)(?!\d)",
    "year": r"(?<!\d)((?:19|20)\d\d)(?!\d)",
}
#: Days from which on a column of dates is cut into months, and into years.
MONTHS, YEARS = 45, 5 * 366


@dataclass(frozen=True)
class Cut:
    """The partitions proposed and why. `keys` are those of the sources, where their names say them; `column` holds the
    date of each row, where that does."""

    unit: Unit
    start: date
    why: str
    keys: Sequence[str] = ()
    column: str | None = None


def cut(names: Sequence[str], columns: Sequence[Column]) -> Cut:
    return _by_name(names) or _by_column(columns) or _unknown()


def _by_name(names: Sequence[str]) -> Cut | None:
    for unit in _SHAPES:
        found = [_date_in(name, unit) for name in names]
        days = [day for day in found if day is not None]
        if days and len(days) == len(names):
            keys = [day.strftime(FORMATS[unit]) for day in days]
            span = keys[0] if len(set(keys)) == 1 else f"{min(keys)} to {max(keys)}"
            return Cut(unit, _start(min(days)), f"{span}, as the names of the files say", keys)
    return None


def _date_in(name: str, unit: Unit) -> date | None:
    """The only date in the part of the path nearest to its end that has one."""
    for part in reversed(PurePath(name).parts[-PARTS:]):
        days = {day for match in re.findall(_SHAPES[unit], part) if (day := _day(match))}
        if days:
            return days.pop() if len(days) == 1 else None
    return None


def _day(match: str | tuple[str, ...]) -> date | None:
    numbers = [int(text) for text in ((match,) if isinstance(match, str) else match)]
    try:
        return date(*[*numbers, 1, 1][:3])
    except ValueError:
        return None


def _by_column(columns: Sequence[Column]) -> Cut | None:
    dated = [one for one in columns if one.base in ("date", "datetime") and one.required and one.least is not None]
    for one in dated:
        first, last = (day.date() if isinstance(day, datetime) else day for day in (one.least, one.most))
        days, is_past = (last - first).days, last <= _today()
        unit: Unit = "year" if days >= YEARS else "month" if days >= MONTHS else "day"
        return Cut(unit, _start(first), f"{one.name} goes from {first} to {last}", column=one.name if is_past else None)
    years = [one for one in columns if one.name in ("year", "annee", "ano") and one.base == "whole" and one.required]
    for one in years:
        if 1900 <= one.least <= one.most <= 2100:
            span = f"{one.least:.0f} to {one.most:.0f}"
            return Cut("year", _start(date(int(one.least), 1, 1)), f"{one.name} goes from {span}")
    return None


def _unknown() -> Cut:
    return Cut("year", _start(_today()), "no date in the names of the files or in every row: say how drops come")


def _start(first: date) -> date:
    """The first day of that year, today's at the latest: earlier drops of it may come."""
    return date(min(first, _today()).year, 1, 1)


def _today() -> date:
    return datetime.now(UTC).date()
