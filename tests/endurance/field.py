"""What the field sends in a day, by file and by the API, and what each piece must have become at the end."""

import itertools
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATASET, PARTITION = "lstk", "2024"
ANIMALS = ("goats", "hens", "cattle", "sheep")


@dataclass
class Field:
    """Every row has a household of its own, so that a row that is lost or there twice is seen. `accepted` holds the
    households of what was landed, or answered with 202."""

    landing: Path
    seed: int
    accepted: set[str] = field(default_factory=set)
    #: Sent, without an answer: each is there once or not at all.
    unanswered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = itertools.count(1)
        self.landing.mkdir(parents=True, exist_ok=True)

    def rows(self, most: int = 400) -> list[str]:
        """Households of a new file."""
        return [self.household() for _ in range(self._random.randint(1, most))]

    def household(self) -> str:
        return f"day_{next(self._numbers):07d}"

    def text(self, households: list[str]) -> str:
        lines = (f"{one},{self._random.choice(ANIMALS)},{self._random.randint(1, 40)}\n" for one in households)
        return "hhid,name,n\n" + "".join(lines)

    def land(self) -> None:
        """A file into the landing area, whole or not at all."""
        households = self.rows()
        partial = self.landing.parent / f".{households[0]}.partial"
        partial.write_text(self.text(households))
        partial.rename(self.landing / f"{households[0]}.csv")
        self.accepted.update(households)

    def record(self) -> dict[str, Any]:
        one = self.household()
        return {"_id": one, "hhid": one, "name": self._random.choice(ANIMALS), "n": self._random.randint(1, 40)}
