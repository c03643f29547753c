"""Visits of a field team, a file at a time, by year.

The tables, checks, dbt source and assets of the dataset follow from this file. Another file here is another dataset.
"""

from datetime import date

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, field


class Visits(pa.DataFrameModel):
    """Visits of a field team; one row per visit."""

    visit: str = field("Number of the visit.")
    persons: int | None = field("Persons met.", unit="persons", ge=0, le=500)
    village: str | None = field("Where it was.")


contract = Contract(
    name="visits",
    schema=Visits,
    description="Visits of a field team; one row per visit.",
    owner="team:field",
    partition=Partition("year", start=date(2020, 1, 1)),
    key=("visit",),
)
