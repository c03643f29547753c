"""Visits of a field team, a file at a time, by year.

The tables, checks, dbt source and assets of the dataset follow from this file. Another file here is another dataset.
"""

from datetime import date

from lastmile.contracts import Contract, Partition, integer, text

contract = Contract(
    name="visits",
    description="Visits of a field team; one row per visit.",
    owner="team:field",
    partition=Partition("year", start=date(2020, 1, 1)),
    key=("visit",),
    columns={
        "visit": text("Number of the visit.", required=True),
        "persons": integer("Persons met.", unit="persons", at_least=0, at_most=500),
        "village": text("Where it was."),
    },
)
