"""How a producer stands: what was sent, what failed, how long it took, what waits."""

import threading
from bisect import bisect_left
from dataclasses import dataclass, field

#: Upper bounds, in seconds, of the parts in which durations are counted.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)


@dataclass
class Metrics:
    """Counts of events since the producer began; `queued` are those that wait, of this and earlier processes.

    `failed` are events that the broker refused for good, `invalid` those that did not fit the schema. Durations are
    from `send` to the broker's acknowledgement, of the oldest event sent together with others.
    """

    topic: str
    sent: int = 0
    failed: int = 0
    invalid: int = 0
    queued: int = 0
    queued_bytes: int = 0
    #: Why nothing is acknowledged at present, as the Kafka client says it; None where all is well.
    problem: str | None = None
    _durations: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1), repr=False)
    _seconds: float = field(default=0.0, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def acknowledged(self, events: int, refused: int, seconds: float) -> None:
        with self._lock:
            self.sent += events - refused
            self.failed += refused
            self.queued -= events
            self._durations[bisect_left(BOUNDS, seconds)] += events
            self._seconds += seconds * events

    def accepted(self, events: int) -> None:
        with self._lock:
            self.queued += events

    def refused(self) -> None:
        with self._lock:
            self.invalid += 1

    def duration(self, share: float) -> float | None:
        """Within how many seconds this share of the events was acknowledged, to the bound above; None before any."""
        with self._lock:
            total, counted = sum(self._durations), 0
            for bound, count in zip((*BOUNDS, float("inf")), self._durations, strict=True):
                counted += count
                if total and counted >= share * total:
                    return bound
        return None

    def prometheus(self) -> str:
        """In the text form that Prometheus reads."""
        with self._lock:
            label = f'{{topic="{self.topic}"}}'
            lines = [
                *_metric("sent_total", "counter", "Events that the broker acknowledged.", label, self.sent),
                *_metric("failed_total", "counter", "Events that the broker refused for good.", label, self.failed),
                *_metric("invalid_total", "counter", "Events that did not fit the schema.", label, self.invalid),
                *_metric("queued_events", "gauge", "Events that wait in the journal.", label, self.queued),
                *_metric("queued_bytes", "gauge", "Bytes that wait in the journal.", label, self.queued_bytes),
                *_metric("is_away", "gauge", "Whether the broker does not answer.", label, int(bool(self.problem))),
                f"# HELP {_NAME}_seconds From send to acknowledgement.",
                f"# TYPE {_NAME}_seconds histogram",
            ]
            counted = 0
            for bound, count in zip((*BOUNDS, "+Inf"), self._durations, strict=True):
                counted += count
                lines.append(f'{_NAME}_seconds_bucket{{topic="{self.topic}",le="{bound}"}} {counted}')
            lines += [f"{_NAME}_seconds_sum{label} {self._seconds:.6f}", f"{_NAME}_seconds_count{label} {counted}"]
            return "\n".join(lines) + "\n"


_NAME = "lastmile_producer"


def _metric(name: str, kind: str, about: str, label: str, value: int) -> list[str]:
    return [f"# HELP {_NAME}_{name} {about}", f"# TYPE {_NAME}_{name} {kind}", f"{_NAME}_{name}{label} {value}"]
