"""How a dataset is cut in time: the keys a partition may have and the window of dates each one covers.

A row is of the partition that its drop landed under; or, with a `column`, of the one that holds its own date, so that
one file may have rows of many partitions.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

Unit = Literal["year", "month", "day"]
FORMATS = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}
_SHAPES: dict[Unit, str] = {"year": r"[0-9]{4}", "month": r"[0-9]{4}-[0-9]{2}", "day": r"[0-9]{4}-[0-9]{2}-[0-9]{2}"}


@dataclass(frozen=True)
class Partition:
    """Partitions of one calendar `unit` each, from the one that holds `start` up to today's."""

    unit: Unit
    start: date
    #: A date or timestamp of the row, by which it has its partition; None: the partition its drop landed under.
    column: str | None = None

    def window(self, key: str) -> tuple[date, date]:
        """First day of the partition and first day of the next. Raises ValueError with what was expected."""
        first, earliest = self._first_day(key), self.start_key()
        latest = self.key_of(datetime.now(UTC).date())
        if not earliest <= key <= latest:
            raise ValueError(f"partition {key!r} is outside {earliest} to {latest}, the {self.unit}s of this dataset")
        return first, self._next(first)

    def bounds(self) -> tuple[date, date]:
        """First day of the first partition and first day after today's."""
        return self._first_day(self.start_key()), self._next(self._first_day(self.key_of(datetime.now(UTC).date())))

    def start_of_row(self) -> "pl.Expr | None":
        """First day of the partition that a row has by its own column; None where it has that of its drop."""
        import polars as pl  # half a second and 60 MB, of which those who only name partitions have no use

        if self.column is None:
            return None
        return pl.col(self.column).cast(pl.Date).dt.truncate({"year": "1y", "month": "1mo", "day": "1d"}[self.unit])

    def key_of(self, day: date) -> str:
        return day.strftime(FORMATS[self.unit])

    def keys(self, first: str, last: str) -> list[str]:
        """Every partition from `first` to `last`, both included. Raises ValueError as `window` does."""
        here, after = self.window(first)[0], self.window(last)[1]
        if here >= after:
            raise ValueError(f"{first!r} comes after {last!r}: give the earlier {self.unit} first")
        found = []
        while here < after:
            found.append(self.key_of(here))
            here = self._next(here)
        return found

    def start_key(self) -> str:
        return self.key_of(self.start)

    def _first_day(self, key: str) -> date:
        if not re.fullmatch(_SHAPES[self.unit], key):
            raise ValueError(f"partition {key!r} is not a {self.unit}: expected the form {self.key_of(self.start)!r}")
        try:
            return date.fromisoformat(f"{key}-01-01"[:10])
        except ValueError as error:
            raise ValueError(f"partition {key!r} is not a {self.unit}: {error}") from None

    def _next(self, first: date) -> date:
        if self.unit == "year":
            return date(first.year + 1, 1, 1)
        if self.unit == "month":
            return (first + timedelta(days=31)).replace(day=1)
        return first + timedelta(days=1)


def common(partitions: Iterable[Partition]) -> Partition:
    """Partitions of what is made from several datasets: of the coarsest unit, from the earliest start.

    Each partition of the datasets then lies within one of these. Raises ValueError for none.
    """
    every = list(partitions)
    if not every:
        raise ValueError("expected partitions of at least one dataset")
    unit = min((one.unit for one in every), key=list(FORMATS).index)
    first = min(one.start for one in every)
    return Partition(unit, date.fromisoformat(f"{Partition(unit, first).start_key()}-01-01"[:10]))


def span(first: str, last: str) -> tuple[date, date]:
    """First day of one partition and the first day after another, of whatever unit. Raises ValueError for no keys."""
    for unit, shape in _SHAPES.items():
        if re.fullmatch(shape, first) and re.fullmatch(shape, last):
            partition = Partition(unit, date.min)
            return partition._first_day(first), partition._next(partition._first_day(last))
    raise ValueError(f"{first!r} and {last!r}: expected two years, months or days, such as 2024, 2024-02 or 2024-02-29")
