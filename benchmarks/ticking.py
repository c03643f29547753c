"""Ticks of the landing sensor as a process of its own: the first, and those that find nothing new.

python -m benchmarks.ticking
"""

import time

import dagster as dg
import psycopg

from benchmarks.peers.timing import work
from benchmarks.survey import SURVEY
from lastmile.contracts import Contract
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.sensors import landing_sensor

LATER = 3


class Surveys(Platform):
    """A platform whose only dataset is the survey."""

    def contracts(self) -> dict[str, Contract]:
        return {SURVEY.name: SURVEY}


def main() -> None:
    platform = Surveys()
    assets = [raw_asset(SURVEY), cleaned_assets(SURVEY)]
    sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=10)
    definitions = dg.Definitions(assets=assets, sensors=[sensor], resources={"platform": platform})

    def tick() -> dict[str, float]:
        began, used = time.perf_counter(), time.process_time()
        with dg.build_sensor_context(
            instance=instance, definitions=definitions, resources={"platform": platform}
        ) as context:
            sensor.evaluate_tick(context)
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}

    with dg.DagsterInstance.ephemeral() as instance, work() as said:
        said["first"] = tick()
        with psycopg.connect(str(platform.settings().given_database_url)) as connection:
            connection.execute("UPDATE ledger.drops SET state = 'superseded', settled_at = now()")
        said["later"] = min((tick() for _ in range(LATER)), key=lambda cost: cost["seconds"])


if __name__ == "__main__":
    main()
