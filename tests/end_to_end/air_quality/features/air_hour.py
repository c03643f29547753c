"""The weather of an hour, and whether its air was dusty."""

from datetime import date

import pandas as pd
import pandera.pandas as pa

from lastmile.contracts import Partition
from lastmile.learning import FeatureSet, field

#: Micrograms of fine particles per cubic metre from which air is called dusty: the WHO's interim target 1 for a day.
DUSTY = 75.0


class AirHour(pa.DataFrameModel):
    """An hour at a station."""

    station: str = field("Place of measuring.", nullable=False)
    year: int = field("Year.", nullable=False)
    month: int = field("Month.", nullable=False)
    day: int = field("Day.", nullable=False)
    hour: int = field("Hour.", nullable=False)
    date: str = field("Day: its hours are alike.", nullable=False)

    hour_of_day: float = field("Hour of the day.")
    temp: float = field("Temperature.", unit="degrees C")
    humidity: float = field("Temperature above the dew point.", unit="degrees C")
    pres: float = field("Pressure.", unit="hPa")
    wspm: float = field("Wind.", unit="m/s")
    wd: str = field("Where the wind comes from.")

    air: str = field("To be learned; missing where dust was not measured.", isin=("clean", "dusty"))


def air_hour(air: pd.DataFrame) -> pd.DataFrame:
    """The hours of a month; `air` says nothing where dust was not measured."""
    label = (air["fine_dust"] >= DUSTY).map({True: "dusty", False: "clean"}).where(air["fine_dust"].notna())
    return air.assign(
        date=pd.to_datetime(air[["year", "month", "day"]]).dt.strftime("%Y-%m-%d"),
        hour_of_day=air["hour"].astype(float),
        humidity=air["temp"] - air["dewp"],
        air=label,
    )


features = FeatureSet(
    name="air_hour",
    description="The weather of an hour, and whether its air was dusty.",
    owner="team:air",
    schema=AirHour,
    make=air_hour,
    entity=("station", "year", "month", "day", "hour"),
    group="date",
    partition=Partition("month", start=date(2013, 3, 1)),
    partition_column="_partition_start",
    sources=("raw.air",),
    datasets=("air",),
    targets=("air",),
    forbidden=frozenset({"dust"}),
)
