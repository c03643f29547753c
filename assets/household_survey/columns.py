"""Columns that several tables of the surveys share."""

from typing import Any

import pandera.polars as pa

from lastmile.contracts import field

#: Animal products of a household; beyond it stand typing errors.
HEAVIEST_KG = 100_000


class OfHousehold(pa.DataFrameModel):
    """A row about something that a household has."""

    hhid: str = field("Household the row is about.", personal=True, missing=("", "NA"), str_matches=r"^\w+$")


def weight(description: str, measures: str | None = None, le: int | None = HEAVIEST_KG) -> Any:
    return field(description, unit="kg/year", ge=0, le=le, measures=measures)


def money(description: str, measures: str = "income", unit: str = "lcu/year") -> Any:
    return field(description, unit=unit, ge=0, le=1e12, measures=measures)


def controlled_by_women(what: str, measures: str) -> Any:
    return field(f"{what} that women decide on.", unit="%", ge=0, le=100, measures=measures)
