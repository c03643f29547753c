"""What a station measured; one row per station and hour."""

from datetime import date

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, Policy, field


class Air(pa.DataFrameModel):
    station: str = field("Place of measuring.")
    year: int = field("Year.", ge=2013)
    month: int = field("Month.", ge=1, le=12)
    day: int = field("Day.", ge=1, le=31)
    hour: int = field("Hour.", ge=0, le=23)
    fine_dust: float | None = field(
        "Particles below 2.5 um.", unit="ug/m3", ge=0, le=998, aliases=("PM2.5",), measures="dust"
    )
    temp: float | None = field("Temperature.", unit="degrees C", ge=-40, le=50)
    dewp: float | None = field("Dew point.", unit="degrees C", ge=-60, le=50)
    pres: float | None = field("Pressure.", unit="hPa", ge=800, le=1100)
    wspm: float | None = field("Wind.", unit="m/s", ge=0, le=60)
    wd: str | None = field("Where the wind comes from.", missing=("", "NA"), str_matches="^[NESW]{1,3}$")


contract = Contract(
    name="air",
    schema=Air,
    description="What a station measured; one row per station and hour.",
    owner="team:air",
    partition=Partition("month", start=date(2013, 3, 1)),
    key=("station", "year", "month", "day", "hour"),
    policy=Policy(duplicates="quarantine"),
)
