"""What a branch of the farm, crops or animals, gave: amounts by row, and what they add up to by household.

Weights in kg per year, money in local currency per year, energy in kcal per year. Everything is rounded before it is
added up, so that the totals in `hhinfo` agree with the rows of the other tables.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: No one eats more of one product in a year, however much there is: twice the energy a person needs.
MOST_EATEN_KCAL = 365 * 5_000.0
#: Percentages that enumerators tick for what women decide on; the last means not asked.
DECIDED_BY_WOMEN = np.array([0.0, 50.0, 100.0, np.nan])


@dataclass(frozen=True)
class Amounts:
    """One value per row of the branch; `household` is the position of the household that each row belongs to."""

    households: int
    household: Whole
    harvest: Floats
    sold: Floats
    consumed: Floats
    income: Floats
    value: Floats
    consumed_value: Floats
    kcal: Floats

    def by_household(self, amounts: npt.NDArray[Any]) -> Floats:
        return np.round(np.bincount(self.household, amounts, minlength=self.households), 4)

    @cached_property
    def earning(self) -> Floats:
        """How many rows gave each household an income."""
        return self.by_household(self.income > 0)


def amounts(
    households: int, household: Whole, harvest: Floats, sold: Floats, eaten_at_most: Floats, price: Floats, kcal: Floats
) -> Amounts:
    """Values at a `price` per kg and energy at `kcal` per kg; what is not sold is eaten up to `eaten_at_most`."""
    harvest = np.round(harvest, 1)
    sold = np.minimum(np.round(sold, 1), harvest)
    consumed = np.floor(np.minimum(harvest - sold, eaten_at_most) * 10) / 10
    return Amounts(
        households=households,
        household=household,
        harvest=harvest,
        sold=sold,
        consumed=consumed,
        income=np.round(sold * price, 2),
        value=np.round(harvest * price, 2),
        consumed_value=np.round(consumed * price, 2),
        kcal=np.round(consumed * kcal, 1),
    )


def columns(of: Amounts) -> dict[str, Floats]:
    return {"harvest_kg": of.harvest, "consumed_kg": of.consumed, "sold_kg": of.sold, "income_lcu": of.income}


def decided_by_women(rng: np.random.Generator, of: Amounts) -> dict[str, Floats]:
    """Shares in per cent; nothing where there is nothing to decide on."""
    drawn = DECIDED_BY_WOMEN[rng.integers(0, len(DECIDED_BY_WOMEN), (2, len(of.harvest)))]
    return {
        "control_consumed_female": np.where(of.consumed > 0, drawn[0], np.nan),
        "control_income_female": np.where(of.sold > 0, drawn[1], np.nan),
    }


def uses(of: Amounts, eat: str) -> pl.Series:
    """The uses of a product, as the surveys tick them."""
    return pick((eat, eat, "sell", f"{eat} sell"), (of.consumed > 0) + 2 * (of.sold > 0))


def lognormal(rng: np.random.Generator, spread: float, shape: int | tuple[int, ...]) -> Floats:
    """Factors around one."""
    return np.exp(rng.normal(0, spread, shape))


def pick(texts: tuple[str | None, ...], positions: npt.NDArray[Any]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String).gather(positions.astype(np.uint32))


@cache
def _sets(names: tuple[str, ...]) -> tuple[str | None, ...]:
    """For every set of names, as a number with one bit each, the names in it separated by blanks; None for no names."""
    joined = (
        " ".join(name for bit, name in enumerate(names) if number >> bit & 1) for number in range(2 ** len(names))
    )
    return tuple(text or None for text in joined)


def listed(chosen: Flags, names: tuple[str, ...]) -> pl.Series:
    """The names chosen in each row of a table of flags, separated by blanks, in the order of `names`."""
    return pick(_sets(names), chosen @ (1 << np.arange(len(names))))


def without_nan(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
