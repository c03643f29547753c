"""Crops of each household in a RHoMIS survey.

`(hhid, name)` is not unique and every row is kept: of the repeats in the real drops most pair a crop that is only
mentioned with the same crop and its quantities, and the rest are other plots or seasons. The household totals in
`hhinfo` are the sums over all of these rows, so quarantining any would lose harvest.

Seven rows in ten name a crop without quantities: surveys record amounts of the main crops only.

How heavy a harvest may be depends on the crop and its area: `assets/household_survey/yields.py`.
"""

from datetime import date, timedelta
from typing import Any

import pandera.polars as pa
import polars as pl

from assets.household_survey.columns import OfHousehold, controlled_by_women, money, weight
from assets.household_survey.yields import highest_harvest_kg
from lastmile.contracts import Arrival, Contract, Partition, Policy, field

#: Farms of a few hundred hectares are real; 1,200 ha that gave 400 kg of cassava are not.
LARGEST_AREA_HA = 1_000


def share(description: str, measures: str | None = None) -> Any:
    return field(description, unit="share", ge=0, le=1, measures=measures)


class Crop(OfHousehold):
    name: str = field("Crop, as the survey names it.", missing=("", "NA"))
    harvest_kg: float | None = weight("Harvested.", measures="harvest", le=None)
    consumed_kg: float | None = weight("Eaten by the household.", measures="consumption", le=None)
    sold_kg: float | None = weight("Sold.", measures="income", le=None)
    income_lcu: float | None = money("Income from sales.")
    prop_land_area: float | None = share("Share of the household's cultivated land under the crop.")
    intercrop: str | None = field(
        "Grown alone or with others: how, or the names of the other crops, separated by blanks."
    )
    use_list: str | None = field(
        "Uses of the harvest (eat, sell, save_seed, ...), separated by blanks.", measures="income"
    )
    crop_residue_use: str | None = field("Uses of stalks and straw (soil, feed, burn, ...), separated by blanks.")
    control_consumed_female: float | None = controlled_by_women("Share of what is eaten", "consumption")
    control_income_female: float | None = controlled_by_women("Share of the income from the crop", "income")
    prop_harvest: float | None = share("Share of the household's harvest, by weight.", measures="harvest")
    land_area_ha: float | None = field("Land under the crop.", unit="ha", ge=0, le=LARGEST_AREA_HA)

    @pa.dataframe_check(error="Eaten and sold weigh together at most the harvest, give or take 1 %.")
    def used_within_harvest(cls, data: pa.PolarsData) -> pl.LazyFrame:
        used = pl.col("consumed_kg") + pl.col("sold_kg")
        return data.lazyframe.select(used <= pl.col("harvest_kg") * 1.01 + 0.01)

    @pa.dataframe_check(
        error="Harvested, eaten and sold each weigh at most what the crop can give on its area, or on 1 ha if that is"
        " more; on 5 ha where the area is missing."
    )
    def within_yield(cls, data: pa.PolarsData) -> pl.LazyFrame:
        heaviest = pl.max_horizontal("harvest_kg", "consumed_kg", "sold_kg")
        return data.lazyframe.select(heaviest <= highest_harvest_kg(pl.col("name"), pl.col("land_area_ha"), heaviest))


contract = Contract(
    name="crop",
    schema=Crop,
    description="Crops a household grew in the survey year, one row each, by plot or season where the survey asked so.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid", "name"),
    policy=Policy(duplicates="keep"),
    arrival=Arrival(expected_every=timedelta(days=366)),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
)
