"""Milk, eggs, meat, honey and animals sold whole, by household and kind of animal in a RHoMIS survey.

`(hhid, name, prod)` is not unique and every row is kept: the few repeats in the real drops are the same product of
other animals, or in the hands of other members, and the household totals in `hhinfo` are the sums over all these rows.
"""

from datetime import date, timedelta

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Contract, Partition, number, rule, text

#: A hundred tonnes: 270 litres of milk a day. Beyond it stand typing errors, such as 562 tonnes of sheep.
HEAVIEST_PRODUCT_KG = 100_000


def weight(description: str, measures: str | None = None) -> pa.Column:
    return number(description, unit="kg/year", at_least=0, at_most=HEAVIEST_PRODUCT_KG, measures=measures)


def controlled_by_women(what: str, measures: str) -> pa.Column:
    return number(f"{what} that women decide on.", unit="%", at_least=0, at_most=100, measures=measures)


def within_harvest(name: str, part: str, description: str) -> pa.Check:
    """Both parts are read off rounded shares of their own, so they may overlap; neither can exceed the whole."""
    return rule(name, pl.col(part) <= pl.col("harvest_kg") * 1.01 + 0.01, description)


contract = Contract(
    name="lstk_prod",
    description="Livestock products a household had in the survey year, by kind of animal and product.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid", "name", "prod"),
    duplicates="keep",
    expected_every=timedelta(days=366),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
    columns={
        "hhid": text(
            "Household that keeps the animals.", required=True, personal=True, missing=("", "NA"), matches=r"\w+"
        ),
        "name": text("Kind of animal (cattle, goats, chicken, ...).", required=True, missing=("", "NA")),
        "prod": text(
            "Product: milk, eggs, meat, honey, or whole for animals sold alive.", required=True, missing=("", "NA")
        ),
        "harvest_kg": weight("Produced."),
        "consumed_kg": weight("Eaten by the household.", measures="consumption"),
        "sold_kg": weight("Sold.", measures="income"),
        "income_lcu": number("Income from sales.", unit="lcu/year", at_least=0, at_most=1e12, measures="income"),
        "use_list": text("Uses of the product (use, sell, hatch, ...), separated by blanks.", measures="income"),
        "control_consumed_female": controlled_by_women("Share of what is eaten", "consumption"),
        "control_income_female": controlled_by_women("Share of the income from the product", "income"),
    },
    rules=(
        within_harvest(
            "consumed_within_harvest", "consumed_kg", "Eaten weighs at most what was produced, give or take 1 %."
        ),
        within_harvest("sold_within_harvest", "sold_kg", "Sold weighs at most what was produced, give or take 1 %."),
    ),
)
