"""The order of cursors: numbers as numbers, dates and moments by time, other texts as they are."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from lastmile.errors import UserError

Kind = Literal["number", "moment", "text"]
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?")
_DAY = 10
_CLOCKS, _ZONES = timedelta(minutes=15), timedelta(hours=14)


@dataclass(frozen=True)
class Place:
    """A cursor: its text as it was sent, and what it is compared by."""

    text: str
    kind: Kind
    value: Decimal | datetime | str

    @classmethod
    def of(cls, text: str) -> "Place":
        if _NUMBER.fullmatch(text):
            return cls(text, "number", Decimal(text))
        if _MOMENT.fullmatch(text):
            try:
                found = datetime.fromisoformat(text)
            except ValueError:
                return cls(text, "text", text)
            return cls(text, "moment", found if found.tzinfo else found.replace(tzinfo=UTC))
        return cls(text, "text", text)

    def is_after(self, other: "Place") -> bool:
        """Raises UserError where they are of different kinds, which have no order."""
        if self.kind != other.kind:
            raise UserError(
                f"cursor: expected values of one kind, found {self.text!r}, a {self.kind}, and {other.text!r}, a"
                f" {other.kind}; name a field with values of one kind as `incremental.field`"
            )
        return self.value > other.value  # type: ignore[operator]  # of the same kind

    def is_ahead(self) -> bool:
        """Whether it is a moment in the future: a cursor there would pass over the present. Clocks may differ a little,
        and a moment without a zone may be that of any."""
        if not isinstance(self.value, datetime):
            return False
        has_zone = datetime.fromisoformat(self.text).tzinfo is not None
        return self.value > datetime.now(UTC) + (_CLOCKS if has_zone else _ZONES)

    def before(self, overlap: timedelta | int | None) -> str:
        """The text of the place so much before, written as this one is. Raises UserError where it has no such."""
        if overlap is None:
            return self.text
        if isinstance(self.value, Decimal) and isinstance(overlap, int):
            return str(self.value - overlap)
        if isinstance(self.value, datetime) and isinstance(overlap, timedelta):
            return _written(datetime.fromisoformat(self.text) - overlap, self.text)
        wanted = "a number" if isinstance(overlap, int) else "a time"
        raise UserError(f"cursor {self.text!r} is a {self.kind}, so it can have no overlap of {wanted}")


def lower(one: str, other: str) -> str:
    """The one that comes first."""
    return one if Place.of(other).is_after(Place.of(one)) else other


def _written(moment: datetime, like: str) -> str:
    if len(like) == _DAY:
        return moment.date().isoformat()
    text = moment.isoformat(like[_DAY], "microseconds" if "." in like else "seconds")
    return text.replace("+00:00", "Z") if like.endswith("Z") else text
