"""What a sample contains, stated next to it: the counts that ingesting it must give."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Drop:
    """One file by its key `<dataset>/<partition>/<source>/<file>`: its final state, its rows, the faults placed.

    Of a file sent twice, either may be ingested first; it is the other that ends as duplicate.
    """

    key: str
    dataset: str
    partition: str
    source: str
    state: str
    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicate: int = 0
    dirt: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Truth:
    """All of a sample; a domain adds what else is known about it."""

    seed: int
    drops: list[Drop] = field(default_factory=list)

    def rows(self, dataset: str | None = None) -> dict[str, int]:
        """Rows read, loaded, quarantined and duplicate, of one dataset or all."""
        drops = [drop for drop in self.drops if dataset in (None, drop.dataset)]
        return {
            name: sum(getattr(drop, name) for drop in drops) for name in ("read", "loaded", "quarantined", "duplicate")
        }

    def as_json(self) -> dict[str, Any]:
        """All but the drops one by one."""
        dirt: dict[str, Counter[str]] = {name: Counter() for name in sorted({drop.dataset for drop in self.drops})}
        for drop in self.drops:
            dirt[drop.dataset].update(drop.dirt)
        return {
            "seed": self.seed,
            "states": dict(Counter(drop.state for drop in self.drops)),
            "rows": self.rows(),
            "datasets": {name: self.rows(name) for name in dirt},
            "dirt": {name: dict(sorted(counts.items())) for name, counts in dirt.items()},
        }

    def save(self, path: Path) -> None:
        """Write it as one JSON object; its `drops`, of which there may be many thousands, come one a line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self.as_json(), indent=1).removesuffix("\n}") + ',\n "drops": [')
            for number, drop in enumerate(self.drops):
                file.write(("," if number else "") + "\n  " + json.dumps(asdict(drop)))
            file.write("\n ]\n}\n")
