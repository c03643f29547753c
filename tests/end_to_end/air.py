"""Air of a city, hour by hour and a file a month: a dataset unlike those of the project, as a user would declare it."""

from datetime import date

from lastmile.contracts import Contract, Partition, integer, number, text

contract = Contract(
    name="air",
    description="What a station measured; one row per station and hour.",
    owner="team:air",
    partition=Partition("month", start=date(2013, 3, 1)),
    key=("station", "year", "month", "day", "hour"),
    duplicates="quarantine",
    columns={
        "station": text("Place of measuring.", required=True),
        "year": integer("Year.", required=True, at_least=2013),
        "month": integer("Month.", required=True, at_least=1, at_most=12),
        "day": integer("Day.", required=True, at_least=1, at_most=31),
        "hour": integer("Hour.", required=True, at_least=0, at_most=23),
        "fine_dust": number("Particles below 2.5 um.", unit="ug/m3", at_least=0, at_most=998, aliases=("PM2.5",)),
        "temp": number("Temperature.", unit="degrees C", at_least=-40, at_most=50),
        "wd": text("Where the wind comes from.", missing=("", "NA"), matches="[NESW]{1,3}"),
    },
)
