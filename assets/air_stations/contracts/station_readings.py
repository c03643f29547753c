"""What a station measured in an hour, made for the shape of the Beijing multi-site set of 2013 to 2017.

Stations say NA for what they could not measure: 2 to 5 values of a hundred. The set has local hours without a zone; who
sends them as events adds it, so that `at` is a moment. A fine dust of 999 is where an instrument ends, not a value.
"""

from datetime import date, datetime
from typing import Any

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, field

_MISSING = ("", "NA")


def concentration(description: str, alias: str, most: float) -> Any:
    return field(description, unit="ug/m3", ge=0, le=most, missing=_MISSING, aliases=(alias,))


class StationReadings(pa.DataFrameModel):
    station: str = field("Place of measuring.")
    at: datetime = field("Beginning of the hour.")
    pm2_5: float | None = concentration("Particles below 2.5 um.", "PM2.5", 998)
    pm10: float | None = concentration("Particles below 10 um.", "PM10", 9_999)
    so2: float | None = concentration("Sulphur dioxide.", "SO2", 2_000)
    no2: float | None = concentration("Nitrogen dioxide.", "NO2", 2_000)
    co: float | None = concentration("Carbon monoxide.", "CO", 20_000)
    o3: float | None = concentration("Ozone.", "O3", 2_000)
    temperature: float | None = field(
        "Temperature.", unit="degrees C", ge=-50, le=60, missing=_MISSING, aliases=("TEMP",)
    )
    pressure: float | None = field("Pressure.", unit="hPa", ge=800, le=1100, missing=_MISSING, aliases=("PRES",))
    dew_point: float | None = field("Dew point.", unit="degrees C", ge=-60, le=50, missing=_MISSING, aliases=("DEWP",))
    rain: float | None = field("Rain.", unit="mm", ge=0, le=500, missing=_MISSING, aliases=("RAIN",))
    wind_from: str | None = field(
        "Where the wind comes from.", missing=_MISSING, str_matches="^[NESW]{1,3}$", aliases=("wd",)
    )
    wind: float | None = field("Speed of the wind.", unit="m/s", ge=0, le=100, missing=_MISSING, aliases=("WSPM",))


contract = Contract(
    name="station_readings",
    schema=StationReadings,
    description="Air quality and weather at each station, hour by hour.",
    owner="team:air",
    partition=Partition("month", start=date(2013, 3, 1)),
    key=("station", "at"),
    tags={"domain": "air-stations", "source": "stations", "sensitivity": "public"},
)
