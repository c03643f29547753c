"""Crops of each household in a RHoMIS survey.

`(hhid, name)` is not unique and every row is kept: of the repeats in the real drops most pair a crop that is only
mentioned with the same crop and its quantities, and the rest are other plots or seasons. The household totals in
`hhinfo` are the sums over all of these rows, so setting any aside would lose harvest.

Seven rows in ten name a crop without quantities: surveys ask for amounts of the main crops only.
"""

from datetime import date, timedelta

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Contract, Partition, number, rule, text

#: The heaviest crops of real smallholders come near it; beyond it stand typing errors, up to 31 million tonnes.
HEAVIEST_CROP_KG = 100_000
#: Farms of a few hundred hectares are real; 1,200 ha that gave 400 kg of cassava are not.
LARGEST_AREA_HA = 1_000


def weight(description: str, measures: str | None = None) -> pa.Column:
    return number(description, unit="kg/year", at_least=0, at_most=HEAVIEST_CROP_KG, measures=measures)


def share(description: str) -> pa.Column:
    return number(description, unit="share", at_least=0, at_most=1)


def controlled_by_women(what: str, measures: str) -> pa.Column:
    return number(f"{what} that women decide on.", unit="%", at_least=0, at_most=100, measures=measures)


contract = Contract(
    name="crop",
    description="Crops a household grew in the survey year, one row each, by plot or season where the survey asked so.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid", "name"),
    duplicates="keep",
    expected_every=timedelta(days=366),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
    columns={
        "hhid": text("Household that grew the crop.", required=True, personal=True, missing=("", "NA"), matches=r"\w+"),
        "name": text("Crop, as the survey names it.", required=True, missing=("", "NA")),
        "harvest_kg": weight("Harvested."),
        "consumed_kg": weight("Eaten by the household.", measures="consumption"),
        "sold_kg": weight("Sold.", measures="income"),
        "income_lcu": number("Income from sales.", unit="lcu/year", at_least=0, at_most=1e12, measures="income"),
        "prop_land_area": share("Share of the household's cultivated land under the crop."),
        "intercrop": text("Grown alone or with others: a way, or the names of the other crops, separated by blanks."),
        "use_list": text("Uses of the harvest (eat, sell, save_seed, ...), separated by blanks.", measures="income"),
        "crop_residue_use": text("Uses of stalks and straw (soil, feed, burn, ...), separated by blanks."),
        "control_consumed_female": controlled_by_women("Share of what is eaten", "consumption"),
        "control_income_female": controlled_by_women("Share of the income from the crop", "income"),
        "prop_harvest": share("Share of the household's harvest, by weight."),
        "land_area_ha": number("Land under the crop.", unit="ha", at_least=0, at_most=LARGEST_AREA_HA),
    },
    rules=(
        rule(
            "used_within_harvest",
            pl.col("consumed_kg") + pl.col("sold_kg") <= pl.col("harvest_kg") * 1.01 + 0.01,
            "Eaten and sold weigh together at most the harvest, give or take 1 %.",
        ),
    ),
)
