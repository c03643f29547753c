"""Days as they are given to a replay: whole ones, in UTC."""

from datetime import UTC, date, datetime, timedelta

from lastmile.errors import UserError
from lastmile.streaming.replay.ranges import Range


def day(text: str) -> date:
    """Raises UserError where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"expected a day such as 2026-03-01; found {text!r}") from None


def days(first: date, last: date) -> Range:
    """Of whole days in UTC, both included."""
    midnight = datetime.min.time().replace(tzinfo=UTC)
    return Range(datetime.combine(first, midnight), datetime.combine(last + timedelta(days=1), midnight))
