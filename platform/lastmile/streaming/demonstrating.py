"""Made-up events into the topic of a stream, by the producer that applications have."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lastmile.client import Producer
from lastmile.errors import UserError
from lastmile.sampling.demo import Demo

_MOST_AT_ONCE = 1_000
_PATIENCE_SECONDS = 20.0


def ending_now(demo: Demo, event_time: str, events: int, seed: int) -> datetime:
    """When so many events have to begin, so that none is of a time to come."""
    now = datetime.now(UTC)
    last: datetime = max(event[event_time] for event in islice(demo.make(now, seed), events))
    return now - (last - now)


def send(
    made: Iterator[Mapping[str, Any]],
    topic: str,
    client: Mapping[str, str],
    events: int,
    rate: float | None,
    sent: Callable[[int], None],
) -> None:
    """So many events, at so many a second; `sent` is called with how many were. Raises UserError where the broker does
    not acknowledge them."""
    with (
        TemporaryDirectory(prefix="lastmile-demo-") as journal,
        Producer(client["bootstrap.servers"], topic, Path(journal), client=client) as producer,
    ):
        began, count = time.monotonic(), 0
        while count < events:
            due = events if rate is None else min(events, int((time.monotonic() - began) * rate) + 1)
            if part := list(islice(made, min(due - count, _MOST_AT_ONCE))):
                count += len(part)
                producer.send_many(part)
                sent(count)
            else:
                time.sleep(0.01)
        if not producer.wait(seconds=_PATIENCE_SECONDS):
            why = producer.metrics.problem or "nothing was acknowledged"
            raise UserError(f"the broker at {client['bootstrap.servers']} does not answer: {why}")
