"""Stations publish each reading to the MQTT broker, under a topic with their name."""

from lastmile.streaming import Mqtt

connector = Mqtt(
    name="stations",
    description="Readings, as stations publish them.",
    owner="team:air",
    stream="station_readings",
    topics=("stations/+/readings",),
    columns=(None, "station", None),
)
