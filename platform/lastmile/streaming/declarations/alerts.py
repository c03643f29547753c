"""What is warned about of a stream, declared with it."""

from dataclasses import dataclass, field
from datetime import timedelta

from lastmile.contracts.alerts import Alert


@dataclass(frozen=True, kw_only=True)
class StreamAlerts:
    """What is watched of a stream; None is not. A stream that no process ever read is not watched either."""

    #: Messages that are not committed yet.
    consumer_lag: Alert | None = field(default_factory=lambda: Alert(1_000_000, lasting=timedelta(minutes=5)))
    #: How long no message has come; unless said, it may be silent.
    stream_silent: Alert | None = field(default_factory=Alert)
    #: Share of the last quarter of an hour's events that came later than `lateness` allows.
    late_share: Alert | None = field(default_factory=lambda: Alert(0.1))
    #: Messages of the last hour that could not be decoded or broke the contract, where that is not its drops' concern.
    poison_messages: Alert | None = field(default_factory=lambda: Alert(1, lasting=timedelta()))
    #: Messages of the last day that the broker had deleted before they were read.
    messages_gone: Alert | None = field(default_factory=lambda: Alert(1, severity="critical", lasting=timedelta()))
    #: How long no process has given a sign of life, or has committed anything of what waits.
    consumer_dead: Alert | None = field(default_factory=lambda: Alert(timedelta(minutes=1), severity="critical"))
