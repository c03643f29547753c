"""The animals of a survey's households: the rows of `lstk` and `lstk_prod` and what they add up to."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assets.household_survey.sample.amounts import (
    MOST_EATEN_KCAL,
    Amounts,
    Floats,
    amounts,
    columns,
    decided_by_women,
    lognormal,
    pick,
    uses,
    without_nan,
)
from assets.household_survey.sample.shape import LSTK, LSTK_PROD
from assets.household_survey.sample.surveys import Survey

LARGEST_HERD = 600


@dataclass(frozen=True)
class Animal:
    """Tropical livestock units of one head, share of households that keep it, typical number kept."""

    tlu: float
    common: float
    number: float


@dataclass(frozen=True)
class Product:
    """What a head gives a year (kg), price (USD PPP/kg), energy (kcal/kg), share of keepers with it, share sold."""

    animal: str
    name: str
    kg: float
    price: float
    kcal: float
    common: float
    sold: float


ANIMALS = {
    "bees": Animal(0.0, 0.03, 2),
    "cattle": Animal(0.7, 0.45, 3),
    "chicken": Animal(0.01, 0.55, 9),
    "donkeys_horses": Animal(0.8, 0.06, 1),
    "goats": Animal(0.1, 0.4, 4),
    "otherpoultry": Animal(0.02, 0.06, 8),
    "pigs": Animal(0.2, 0.15, 2),
    "rabbits": Animal(0.01, 0.03, 3),
    "sheep": Animal(0.1, 0.25, 4),
}
KINDS = tuple(ANIMALS)
PRODUCTS = (
    Product("bees", "honey", 6, 4.0, 3040, 0.5, 0.6),
    Product("cattle", "milk", 200, 0.5, 640, 0.38, 0.3),
    Product("cattle", "whole", 30, 2.2, 0, 0.34, 1.0),
    Product("cattle", "meat", 12, 3.0, 2500, 0.07, 0.2),
    Product("chicken", "eggs", 2.5, 2.2, 1400, 0.23, 0.3),
    Product("chicken", "meat", 0.8, 3.0, 1400, 0.39, 0.05),
    Product("chicken", "whole", 0.9, 3.0, 0, 0.31, 1.0),
    Product("goats", "whole", 6, 2.5, 0, 0.36, 1.0),
    Product("goats", "meat", 3, 3.2, 2600, 0.23, 0.1),
    Product("otherpoultry", "meat", 1, 3.0, 1400, 0.26, 0.1),
    Product("pigs", "whole", 25, 2.0, 0, 0.32, 1.0),
    Product("pigs", "meat", 12, 2.8, 2700, 0.14, 0.4),
    Product("sheep", "whole", 7, 2.5, 0, 0.31, 1.0),
    Product("sheep", "meat", 3, 3.2, 2600, 0.18, 0.1),
)


def keep(rng: np.random.Generator, hhid: pl.Series, wealth: Floats) -> tuple[pl.DataFrame, Floats]:
    """Rows of `lstk`, and the heads kept: one row per household, one column per kind; richer households keep more."""
    shape = (len(hhid), len(KINDS))
    common = np.log([animal.common / (1 - animal.common) for animal in ANIMALS.values()])
    keeps = rng.random(shape) < 1 / (1 + np.exp(-(common + 0.5 * wealth[:, None])))
    typical = np.array([animal.number for animal in ANIMALS.values()])
    number = np.ceil(typical * np.exp(0.35 * wealth[:, None]) * lognormal(rng, 0.8, shape))
    heads = np.where(keeps, np.clip(number, 1, LARGEST_HERD), 0)
    household, kind = np.nonzero(heads)
    rows = pl.DataFrame(
        {
            "hhid": hhid.gather(household.astype(np.uint32)),
            "name": pick(KINDS, kind),
            "n": heads[household, kind].astype(int),
        }
    )
    return rows.select(LSTK), heads


def livestock_units(heads: Floats) -> Floats:
    units: Floats = np.round(heads @ np.array([animal.tlu for animal in ANIMALS.values()]), 3)
    return units


def produce(
    rng: np.random.Generator, survey: Survey, hhid: pl.Series, heads: Floats, members: Floats
) -> tuple[pl.DataFrame, Amounts]:
    """Rows of `lstk_prod` and what they gave."""
    animal = np.array([KINDS.index(product.animal) for product in PRODUCTS])
    kg, price, kcal, common, usually_sold = (
        np.array(values) for values in zip(*((p.kg, p.price, p.kcal, p.common, p.sold) for p in PRODUCTS), strict=True)
    )
    household, product = np.nonzero((heads[:, animal] > 0) & (rng.random((len(hhid), len(PRODUCTS))) < common))
    number = len(product)
    harvest = np.maximum(heads[household, animal[product]] * kg[product] * lognormal(rng, 0.6, number), 1)
    share = np.clip(usually_sold[product] + rng.normal(0, 0.3, number), 0, 1)
    whole = usually_sold[product] == 1
    sold = harvest * np.where(whole, 1, share)
    eaten = np.where(whole, 0, MOST_EATEN_KCAL * members[household] / np.maximum(kcal[product], 1))
    local = price[product] * survey.true_factor * lognormal(rng, 0.25, number)
    gave = amounts(len(hhid), household, harvest, sold, eaten, local, kcal[product])
    rows = pl.DataFrame(
        {
            "hhid": hhid.gather(household.astype(np.uint32)),
            "name": pick(tuple(p.animal for p in PRODUCTS), product),
            "prod": pick(tuple(p.name for p in PRODUCTS), product),
            **columns(gave),
            "use_list": uses(gave, "use"),
            **decided_by_women(rng, gave),
        }
    )
    return without_nan(rows.select(LSTK_PROD)), gave
