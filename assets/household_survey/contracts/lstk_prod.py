"""Milk, eggs, meat, honey and animals sold whole, by household and kind of animal in a RHoMIS survey.

`(hhid, name, prod)` is not unique and every row is kept: the few repeats in the real drops are the same product of
other animals, or in the hands of other members, and the household totals in `hhinfo` are the sums over all these rows.
"""

from datetime import date, timedelta

import pandera.polars as pa
import polars as pl

from assets.household_survey.columns import OfHousehold, controlled_by_women, money, weight
from lastmile.contracts import Arrival, Contract, Partition, Policy, field


def within_harvest(data: pa.PolarsData, part: str) -> pl.LazyFrame:
    """Both parts are read off rounded shares of their own, so they may overlap; neither can exceed the whole."""
    return data.lazyframe.select(pl.col(part) <= pl.col("harvest_kg") * 1.01 + 0.01)


class LivestockProducts(OfHousehold):
    name: str = field("Kind of animal (cattle, goats, chicken, ...).", missing=("", "NA"))
    prod: str = field("Product: milk, eggs, meat, honey, or whole for animals sold alive.", missing=("", "NA"))
    harvest_kg: float | None = weight("Produced.", measures="harvest")
    consumed_kg: float | None = weight("Eaten by the household.", measures="consumption")
    sold_kg: float | None = weight("Sold.", measures="income")
    income_lcu: float | None = money("Income from sales.")
    use_list: str | None = field("Uses of the product (use, sell, hatch, ...), separated by blanks.", measures="income")
    control_consumed_female: float | None = controlled_by_women("Share of what is eaten", "consumption")
    control_income_female: float | None = controlled_by_women("Share of the income from the product", "income")

    @pa.dataframe_check(error="Eaten weighs at most what was produced, give or take 1 %.")
    def consumed_within_harvest(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return within_harvest(data, "consumed_kg")

    @pa.dataframe_check(error="Sold weighs at most what was produced, give or take 1 %.")
    def sold_within_harvest(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return within_harvest(data, "sold_kg")


contract = Contract(
    name="lstk_prod",
    schema=LivestockProducts,
    description="Livestock products a household had in the survey year, by kind of animal and product.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid", "name", "prod"),
    policy=Policy(duplicates="keep"),
    arrival=Arrival(expected_every=timedelta(days=366)),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
)
