"""What a sample of household surveys contains besides its rows: levels, and surveys with a wrong conversion factor."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lastmile.sampling import Truth

#: Lower bounds in USD PPP per person per day, as in the reference domain of the design.
LEVELS = {"On Track": 2.15, "At Risk": 1.77, "Struggling": 1.25, "Severely Struggling": float("-inf")}
NOT_COMPUTABLE = "not computable"


@dataclass
class HouseholdTruth(Truth):
    """`levels` counts the loaded households of surveys whose conversion factor is right."""

    households: int = 0
    wrong_factor: list[str] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {
            "households": self.households,
            "wrong_factor": self.wrong_factor,
            "levels": dict(self.levels),
        }


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
