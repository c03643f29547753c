"""What is warned about of a source, declared with it."""

from dataclasses import dataclass, field
from datetime import timedelta

from lastmile.contracts.alerts import Alert


@dataclass(frozen=True, kw_only=True)
class SourceAlerts:
    """What is watched of a source; None is not. One that never ran is not watched either."""

    #: How long no fetch has brought records; unless said, the source's `stale_after`.
    source_overdue: Alert | None = field(default_factory=Alert)
    #: Runs in a row that failed. It lasts longer than a run waits before it is tried again.
    source_failing: Alert | None = field(default_factory=lambda: Alert(1, lasting=timedelta(minutes=10)))
    #: Bytes of its log that the database of a source of changes keeps for us, on its own disk.
    slot_lag: Alert | None = field(default_factory=lambda: Alert(2**30, severity="critical"))
