"""Land and animals of a household, and whether its value per person reaches the line."""

from datetime import date

import pandas as pd
import pandera.pandas as pa

from lastmile.contracts import Partition
from lastmile.learning import FeatureSet, field


class HouseholdLand(pa.DataFrameModel):
    """A household in a survey year."""

    hhid: str = field("Household.", nullable=False)
    survey_year: int = field("Year of the survey.", nullable=False)
    survey_id: str = field("Survey.")

    land_owned_ha: float = field("Land owned.", unit="ha")
    livestock_tlu: float = field("Animals kept.", unit="tropical livestock units")
    hh_size_members: float = field("Members of the household.", unit="people")

    reaches_line: str = field("To be learned.", isin=("yes", "no"))


def household_land(dim_household: pd.DataFrame, fct_household_year: pd.DataFrame) -> pd.DataFrame:
    levels = fct_household_year.set_index(["hhid", "survey_year"])["vulnerability_level"]
    reaches = (levels == "On Track").map({True: "yes", False: "no"}).where(levels.notna())
    return dim_household.merge(reaches.rename("reaches_line").reset_index(), on=["hhid", "survey_year"], how="left")


features = FeatureSet(
    name="household_land",
    description="Land and animals of a household, and whether its value per person reaches the line.",
    owner="team:analytics",
    schema=HouseholdLand,
    make=household_land,
    entity=("hhid", "survey_year"),
    group="survey_id",
    partition=Partition("year", start=date(2010, 1, 1)),
    sources=("marts.dim_household", "marts.fct_household_year"),
    datasets=("hhinfo",),
    targets=("reaches_line",),
    forbidden=frozenset({"income", "consumption"}),
)
