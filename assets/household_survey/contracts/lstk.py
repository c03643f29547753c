"""Animals of each household in a RHoMIS survey.

A household counts each kind of animal once; a second count of the same kind contradicts the first or repeats it, and is
quarantined as a duplicate. The real drops hold none.
"""

from datetime import date, timedelta

import pandera.polars as pa
import polars as pl

from assets.household_survey.columns import OfHousehold
from lastmile.contracts import Arrival, Contract, Partition, field

#: Counted by the pond or the hive: thousands are usual.
SMALL_STOCK = ("fish", "bees", "silkworms", "otherpoultry", "chicken")
LARGEST_HERD = 2_000


class Livestock(OfHousehold):
    name: str = field("Kind of animal (cattle, goats, chicken, ...).", missing=("", "NA"))
    n: int = field("Animals kept; hives for bees.", unit="heads", ge=0, le=100_000)

    @pa.dataframe_check(
        error=f"A household keeps at most {LARGEST_HERD:,} of an animal that is neither poultry, fish nor insects."
    )
    def plausible_herd(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("name").is_in(SMALL_STOCK) | (pl.col("n") <= LARGEST_HERD))


contract = Contract(
    name="lstk",
    schema=Livestock,
    description="Animals a household kept in the survey year; one row per household and kind of animal.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid", "name"),
    arrival=Arrival(expected_every=timedelta(days=366)),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
)
