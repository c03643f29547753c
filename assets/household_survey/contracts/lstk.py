"""Animals of each household in a RHoMIS survey.

A household counts each kind of animal once; a second count of the same kind contradicts the first or repeats it, and is
set aside as a duplicate. The real drops hold none.
"""

from datetime import date, timedelta

import polars as pl

from lastmile.contracts import Contract, Partition, integer, rule, text

#: Counted by the pond or the hive: thousands are usual.
SMALL_STOCK = ("fish", "bees", "silkworms", "otherpoultry", "chicken")
LARGEST_HERD = 2_000

contract = Contract(
    name="lstk",
    description="Animals a household kept in the survey year; one row per household and kind of animal.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid", "name"),
    duplicates="first",
    expected_every=timedelta(days=366),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
    columns={
        "hhid": text(
            "Household that keeps the animals.", required=True, personal=True, missing=("", "NA"), matches=r"\w+"
        ),
        "name": text("Kind of animal (cattle, goats, chicken, ...).", required=True, missing=("", "NA")),
        "n": integer("Animals kept; hives for bees.", unit="heads", required=True, at_least=0, at_most=100_000),
    },
    rules=(
        rule(
            "plausible_herd",
            pl.col("name").is_in(SMALL_STOCK) | (pl.col("n") <= LARGEST_HERD),
            f"A household keeps at most {LARGEST_HERD:,} of an animal that is neither poultry, fish nor insects.",
        ),
    ),
)
