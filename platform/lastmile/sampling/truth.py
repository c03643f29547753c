"""What a sample contains, stated beside it: the counts that taking it must give."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

#: Lower bounds in USD PPP per person per day, as in the reference domain of the design.
LEVELS = {"On Track": 2.15, "At Risk": 1.77, "Struggling": 1.25, "Severely Struggling": float("-inf")}
NOT_COMPUTABLE = "not computable"


@dataclass(frozen=True, slots=True)
class Drop:
    """One file by its key `<dataset>/<year>/<survey>/<file>`: the state it must end in, its rows, the faults placed.

    Of a file sent twice, either may be taken first; it is the other that ends as duplicate.
    """

    key: str
    dataset: str
    partition: str
    survey: str
    state: str
    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicate: int = 0
    dirt: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Truth:
    """All of a sample. `levels` counts the loaded households of surveys whose conversion factor is right."""

    seed: int
    households: int
    drops: list[Drop] = field(default_factory=list)
    wrong_factor: list[str] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)

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
            "households": self.households,
            "states": dict(Counter(drop.state for drop in self.drops)),
            "rows": self.rows(),
            "datasets": {name: self.rows(name) for name in dirt},
            "dirt": {name: dict(sorted(counts.items())) for name, counts in dirt.items()},
            "wrong_factor": self.wrong_factor,
            "levels": dict(self.levels),
        }

    def save(self, path: Path) -> None:
        """Write it as one JSON object; its `drops`, of which there may be many thousands, come one a line."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(self.as_json(), indent=1).removesuffix("\n}") + ',\n "drops": [')
            for number, drop in enumerate(self.drops):
                file.write(("," if number else "") + "\n  " + json.dumps(asdict(drop)))
            file.write("\n ]\n}\n")


def levels(hhinfo: pl.DataFrame) -> Counter[str]:
    """Households by vulnerability level, from the clean table; lower bounds inclusive."""
    lcu = pl.col("total_income_lcu_per_year") + pl.col("value_farm_products_consumed_lcu_per_hh_per_year")
    value = hhinfo.select(lcu / pl.col("currency_conversion_lcu_to_ppp") / 365 / pl.col("hh_size_members")).to_series()
    counts = Counter({NOT_COMPUTABLE: value.null_count()})
    above = 0
    for level, bound in LEVELS.items():
        at_least = int((value >= bound).sum())
        counts[level] = at_least - above
        above = at_least
    return counts
