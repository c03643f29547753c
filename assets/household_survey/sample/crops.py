"""The fields of a survey's households: the rows of `crop` and what they add up to."""

import numpy as np
import polars as pl

from assets.household_survey.sample.amounts import (
    MOST_EATEN_KCAL,
    Amounts,
    Flags,
    Floats,
    Whole,
    amounts,
    columns,
    decided_by_women,
    lognormal,
    pick,
    uses,
    without_nan,
)
from assets.household_survey.sample.countries import CROPS
from assets.household_survey.sample.shape import CROP
from assets.household_survey.sample.surveys import Survey

MOST_CROPS = 8
#: The best farms have this many times the typical yield; of sugar cane that is near the highest national one.
BEST_YIELD = 6.0
HEAVIEST_KG = 200_000.0
RESIDUES = ("soil", "feed", "burn", "compost", "soil feed", "fuel", "feed compost")
#: Share of crops that are named a second time, for another plot, without quantities.
SECOND_PLOT = 0.01


def grow(
    rng: np.random.Generator, survey: Survey, hhid: pl.Series, land: Floats, members: Floats, skill: Floats
) -> tuple[pl.DataFrame, Flags, Amounts]:
    """Rows of `crop`, which crops each household grows (in the order of their names), and what they gave.

    `land` in ha, `skill` multiplies yields. One to eight crops a household; where it has land, one to three of them
    have quantities, as surveys record the main ones only.
    """
    grown, measured = _choose(rng, survey.country.crops, land)
    household, crop = np.nonzero(measured)
    kinds = [CROPS[name] for name in sorted(survey.country.crops)]
    typical, price, kcal, usually_sold = (
        np.array(values)[crop]
        for values in zip(*((k.yield_kg_per_ha, k.price_usd_per_kg, k.kcal_per_kg, k.sold) for k in kinds), strict=True)
    )
    share = _shares(household, lognormal(rng, 0.5, len(crop)), len(land))
    harvest = land[household] * share * typical * skill[household] * lognormal(rng, 0.5, len(crop))
    sells = rng.random(len(crop)) < usually_sold + 0.2
    sold = harvest * np.where(sells, np.clip(usually_sold + rng.normal(0.1, 0.2, len(crop)), 0.05, 1), 0)
    eaten = np.where(kcal > 0, MOST_EATEN_KCAL * members[household] / np.maximum(kcal, 1), 0)
    local = price * survey.true_factor * lognormal(rng, 0.25, len(crop))
    heaviest = np.minimum(HEAVIEST_KG, BEST_YIELD * typical * land[household] * share)
    capped = np.minimum(1, heaviest / np.maximum(harvest, 1))
    gave = amounts(len(land), household, harvest * capped, sold * capped, eaten, local, kcal)
    return _rows(rng, survey, hhid, grown, crop, share, land, gave), grown, gave


def _choose(rng: np.random.Generator, crops: tuple[str, ...], land: Floats) -> tuple[Flags, Flags]:
    """Which crops each household grows, and which of them have quantities; columns in the order of their names.

    Drawing without replacement by weight: the highest of log-weights plus Gumbel noise.
    """
    rows, kinds = len(land), len(crops)
    weights = np.log([1 / (1 + crops.index(name)) for name in sorted(crops)])
    rank = np.argsort(np.argsort(-(weights + rng.gumbel(size=(rows, kinds))), axis=1), axis=1)
    number = np.clip(1 + rng.poisson(1.2 + 0.8 * np.log1p(land)), 1, MOST_CROPS)
    asked = np.where(land > 0, rng.integers(1, 4, rows), 0)
    return rank < number[:, None], rank < np.minimum(number, asked)[:, None]


def _shares(household: Whole, weights: Floats, households: int) -> Floats:
    """Weights as shares of their household's sum, rounded down so that no sum is above one."""
    total = np.bincount(household, weights, minlength=households)
    return np.floor(weights / total[household] * 1e6) / 1e6


def _rows(
    rng: np.random.Generator,
    survey: Survey,
    hhid: pl.Series,
    grown: Flags,
    crop: Whole,
    share: Floats,
    land: Floats,
    gave: Amounts,
) -> pl.DataFrame:
    total = gave.by_household(gave.harvest)[gave.household]
    main = pl.DataFrame(
        {
            "household": gave.household,
            "crop": crop,
            **columns(gave),
            "prop_land_area": share,
            "intercrop": pick(("monoculture", "intercrop"), rng.random(len(crop)) > 0.6),
            "use_list": uses(gave, "eat"),
            "crop_residue_use": pick(RESIDUES, rng.integers(0, len(RESIDUES), len(crop))),
            **decided_by_women(rng, gave),
            "prop_harvest": np.floor(gave.harvest / np.maximum(total, 1e-9) * 1e6) / 1e6,
            "land_area_ha": np.round(land[gave.household] * share, 4),
        }
    )
    household, named = np.nonzero(grown)
    again = rng.random(len(named)) < SECOND_PLOT
    mentioned = pl.DataFrame({"household": household, "crop": named})
    first = mentioned.join(main, on=["household", "crop"], how="left", maintain_order="left")
    rows = pl.concat([first, mentioned.filter(again)], how="diagonal").sort("household", maintain_order=True)
    names = tuple(sorted(survey.country.crops))
    return without_nan(
        rows.with_columns(hhid=hhid.gather(rows["household"]), name=pick(names, rows["crop"].to_numpy())).select(CROP)
    )
