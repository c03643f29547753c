"""How a backlog drains: many small drops, discovered by the real sensor and ingested by the real engine.

It starts a Postgres and a folder of objects of its own, puts the drops, and then does as the daemon does: a look of
the landing sensor, one call of the engine for each partition it requests, until it requests none. No drop is left.

    python benchmarks/backlog.py --drops 10000 --partitions 1 3
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pandera.polars as pa
from rich.console import Console
from rich.table import Table

from lastmile.contracts import Arrival, Contract, Partition, field
from lastmile.embedded import postgres
from lastmile.ingestion.worker import ingest_pending
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.sensors import landing_sensor
from lastmile.store import Store
from lastmile.warehouse.migrate import migrate


class Readings(pa.DataFrameModel):
    reading: str = field("Number of the reading.")
    device: str = field("Who read.")
    degrees: float | None = field("Temperature of the air.", unit="°C", ge=-60, le=60)
    battery: int | None = field("Charge left.", unit="%", ge=0, le=100)


READINGS = Contract(
    name="readings",
    description="Readings of field devices; one row per device and hour.",
    owner="team:field-data",
    partition=Partition("year", start=date(2015, 1, 1)),
    key=("reading",),
    schema=Readings,
    arrival=Arrival(quiet_period=timedelta(0)),
)
ROWS = 3
YEARS = [str(year) for year in range(2016, 2026)]


class Devices(Platform):
    """A platform whose only dataset is `readings`."""

    def contracts(self) -> dict[str, Contract]:
        return {READINGS.name: READINGS}


def put(store: Store, drops: int, partitions: int) -> None:
    for drop in range(drops):
        rows = [f"{drop}-{row},device {drop % 50},{row}.5,{drop % 100}" for row in range(ROWS)]
        body = "\n".join([",".join(READINGS.columns), *rows]).encode()
        store.put(f"landing/readings/{YEARS[drop % partitions]}/{drop:06}.csv", body)


def look(platform: Platform, instance: dg.DagsterInstance) -> tuple[float, list[str]]:
    """Seconds of one tick of the sensor, and the partitions it requests runs for."""
    assets = [raw_asset(READINGS), cleaned_assets(READINGS)]
    sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=10)
    definitions = dg.Definitions(assets=assets, sensors=[sensor], resources={"platform": platform})
    context = dg.build_sensor_context(instance=instance, definitions=definitions, resources={"platform": platform})
    began = time.monotonic()
    requests = sensor.evaluate_tick(context).run_requests or []
    return time.monotonic() - began, [str(request.partition_key) for request in requests]


def drain(platform: Platform, instance: dg.DagsterInstance) -> Iterator[tuple[float, float, float, int]]:
    """Per tick of the sensor: its seconds, those of the requested runs and of CPU in them, and the drops ingested."""
    while True:
        ticked, partitions = look(platform, instance)
        began, worked, ingested = time.monotonic(), time.process_time(), 0
        with platform.connect() as connection:
            for partition in partitions:
                ingested += len(ingest_pending(connection, platform.store(), READINGS, [partition], "benchmark"))
        yield ticked, time.monotonic() - began, time.process_time() - worked, ingested
        if not partitions:
            return


def measured(drops: int, partitions: int) -> Mapping[str, str]:
    with tempfile.TemporaryDirectory(prefix="lastmile-backlog-") as folder, dg.DagsterInstance.ephemeral() as instance:
        home = Path(folder)
        with postgres.started(home / "postgres") as url:
            migrate(url)
            os.environ |= {"LASTMILE_HOME": folder, "LASTMILE_DATABASE_URL": url, "LASTMILE_STORE_URL": home.as_uri()}
            platform = Devices()
            put(platform.store(), drops, partitions)
            ticks = list(drain(platform, instance))
    longest = max(ticked for ticked, *_ in ticks)
    seconds, worked, ingested = (sum(part) for part in list(zip(*ticks, strict=True))[1:])
    if ingested != drops:
        raise SystemExit(f"{ingested} of {drops} drops were ingested")
    return {
        "drops": f"{drops:,}",
        "partitions": str(partitions),
        "ticks": str(len(ticks)),
        "seconds": f"{seconds:.1f}",
        "ms a drop": f"{seconds / drops * 1000:.1f}",
        "of it CPU": f"{worked / drops * 1000:.1f}",
        "peak MB": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
        "longest look, s": f"{longest:.2f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drops", type=int, default=10_000, help=f"how many, of {ROWS} rows each (10000)")
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 3], help="over how many years (1 3)")
    options = parser.parse_args()
    results = [measured(options.drops, partitions) for partitions in options.partitions]
    table = Table(*results[0], title="A backlog of small drops")
    for result in results:
        table.add_row(*result.values())
    Console().print(table)


if __name__ == "__main__":
    main()
