"""Once a minute, databases that are followed and that nothing reads at the moment are asked how far behind we are."""

from collections.abc import Mapping

import dagster as dg

from lastmile.orchestration.resources import Platform
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.declarations.source import Source

_EVERY_SECONDS = 60


def followed_sensors(sources: Mapping[str, Source]) -> list[dg.SensorDefinition]:
    """One, where there are such sources."""
    if not any(isinstance(one, Changes) for one in sources.values()):
        return []

    @dg.sensor(
        name="followed_databases",
        description="Asks databases that are followed how much of their log they keep for us, where no run has lately.",
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def looked(platform: Platform) -> dg.SkipReason:
        from lastmile.sources.changes.lagging import look

        with platform.connect() as connection:
            said = look(connection, sources)
        return dg.SkipReason("; ".join(said) or "how far behind all are is known")

    return [looked]
