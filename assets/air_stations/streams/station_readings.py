"""The air of each hour over all stations, and of each day by station. Days are those of UTC.

Readings come late where a station was cut off; its hour and day are then made anew. Values are added as decimals, of
three places: a sum of floating point numbers would depend on their order.
"""

from datetime import timedelta

import polars as pl

from lastmile.streaming import Stream, Tumbling

_EXACT = pl.Decimal(18, 3)

stream = Stream(
    name="station_readings",
    description="Air quality and weather at each station, hour by hour, as stations publish them.",
    owner="team:air",
    topic="station_readings",
    contract="station_readings",
    event_time="at",
    lateness=timedelta(hours=3),
    late="update",
    steps=({name: pl.col(name).cast(_EXACT) for name in ("pm2_5", "pm10", "temperature", "rain")},),
    windows=(
        Tumbling(
            name="air_by_hour",
            description="The air of an hour, over all stations.",
            every=timedelta(hours=1),
            values={"stations": pl.len(), "pm2_5": pl.col("pm2_5").mean(), "pm10": pl.col("pm10").mean()},
        ),
        Tumbling(
            name="air_by_day",
            description="The air at a station, on a day.",
            every=timedelta(days=1),
            keys=("station",),
            values={
                "readings": pl.len(),
                "measured": pl.col("pm2_5").count(),
                "pm2_5": pl.col("pm2_5").mean(),
                "highest_pm2_5": pl.col("pm2_5").max(),
                "coldest": pl.col("temperature").min(),
                "rain_mm": pl.col("rain").sum(),
            },
        ),
    ),
)
