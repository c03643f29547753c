"""Callers of the API through the day, as devices and apps are: each tries again what was not answered."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
from endurance.field import DATASET, PARTITION, Field
from endurance.repeating import Repeating

#: How long a caller tries one request; the offline client tries for ever.
PATIENCE_SECONDS = 60.0
READS = ("datasets", "models", "jobs?limit=20", "quality/checks", "data/cleaned/lstk?limit=50")
AGAIN = {429, 500, 502, 503, 504}


@dataclass
class Answers:
    """`at_once` were answered on the first try, `later` on another, `never` within the patience of a caller."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def share(self, *kinds: str) -> float:
        return sum(self.counts[kind] for kind in kinds) / max(1, self.counts.total())


class Callers:
    """Threads that call until `stop`; every request is counted."""

    def __init__(self, address: str, key: str, sent: Field, ids: Sequence[str], per_second: float) -> None:
        self.answers, self._sent, self._ids = Answers(), sent, ids
        self._http = httpx.Client(
            base_url=f"{address}/api/v1/", headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_SECONDS
        )
        self._lock = threading.Lock()
        kinds: list[tuple[Callable[[], None], float]] = [
            (self._record, 0.35),
            (self._predict, 0.35),
            (self._read, 0.28),
            (self._file, 0.02),
        ]
        self._repeating = [Repeating(call, _pauses(per_second * share)) for call, share in kinds]

    def start(self) -> None:
        for one in self._repeating:
            one.start()

    def stop(self) -> None:
        for one in self._repeating:
            one.stop()
        self._http.close()

    def _record(self) -> None:
        with self._lock:
            record = self._sent.record()
        self._send([record["hhid"]], f"datasets/{DATASET}/records?partition={PARTITION}", json=record)

    def _file(self) -> None:
        with self._lock:
            households = self._sent.rows(50)
            text = self._sent.text(households)
        path = f"datasets/{DATASET}/files?partition={PARTITION}&name=api_{households[0]}.csv"
        headers = {"Content-Type": "text/csv", "Idempotency-Key": households[0]}
        self._send(households, path, content=text, headers=headers)

    def _send(self, households: Sequence[str], path: str, **request: object) -> None:
        answered = self._call("POST", path, **request)
        with self._lock:
            (self._sent.accepted if answered == 202 else self._sent.unanswered).update(households)

    def _predict(self) -> None:
        self._call("POST", "models/vulnerability/predict", json={"ids": [{"hhid": random.choice(self._ids)}]})

    def _read(self) -> None:
        self._call("GET", random.choice(READS))

    def _call(self, method: str, path: str, **request: object) -> int | None:
        """The status that it was answered with, within the caller's patience."""
        since = time.monotonic()
        for attempt in range(1_000):
            try:
                status = self._http.request(method, path, **request).status_code  # type: ignore[arg-type]  # any of httpx's
            except httpx.TransportError:
                status = 0
            seconds = time.monotonic() - since
            with self._lock:
                self.answers.statuses[status] += 1
            if status and status not in AGAIN:
                self._count("later" if attempt else "at_once", seconds)
                return status
            if seconds > PATIENCE_SECONDS:
                break
            time.sleep(min(2.0, 0.1 * 2**attempt))
        self._count("never", seconds)
        return None

    def _count(self, kind: str, seconds: float) -> None:
        with self._lock:
            self.answers.counts[kind] += 1
            self.answers.seconds.append(seconds)


def _pauses(per_second: float) -> Callable[[], float]:
    """As of callers who know nothing of one another; the same each time."""
    rng = random.Random(per_second)
    return lambda: rng.expovariate(per_second)
