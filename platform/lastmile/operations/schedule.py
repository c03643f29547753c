"""When something is made by the clock."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

_FIELDS = 5


@dataclass(frozen=True)
class Schedule:
    """A cron expression of five fields, in a time zone. Raises ValueError for what is neither."""

    cron: str
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if len(self.cron.split()) != _FIELDS:
            raise ValueError(f"schedule {self.cron!r}: expected five fields, such as '0 4 * * *' for 4 o'clock")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"time zone {self.time_zone!r}: expected a name such as 'Africa/Nairobi'") from None
