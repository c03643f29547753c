"""The whole job on the drop in the landing area, as a process of its own: discovered, ingested, committed.

python -m benchmarks.whole_job [--sampled] [--traced] [--counted]
"""

import argparse
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.peers.timing import work
from benchmarks.sampling import sampled
from benchmarks.survey import PARTITION, SURVEY
from lastmile import telemetry
from lastmile.embedded.database import running_url
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.telemetry import metrics_files
from lastmile.telemetry.spans import span
from lastmile.warehouse.connections import connect

if TYPE_CHECKING:
    from lastmile.ledger import Outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sampled", action="store_true", help="say where its threads were, looked at now and then")
    parser.add_argument("--traced", action="store_true", help="as a worker that sends its traces")
    parser.add_argument("--counted", action="store_true", help="as a worker that counts for Prometheus")
    options = parser.parse_args()
    if options.traced:
        telemetry.start("benchmark")
    if options.counted:
        metrics_files.start("benchmark")
    settings = Settings.from_environment()
    with work() as said, ExitStack() as stack:
        seen = stack.enter_context(sampled()) if options.sampled else None
        with connect(running_url(settings)) as connection, span("run.work"):
            store = open_store(settings)
            found = discover(connection, store, {SURVEY.name: SURVEY})
            outcomes: list[Outcome] = []
            # A call ingests a bounded number of drops.
            while len(outcomes) < found and (
                more := ingest_pending(connection, store, SURVEY, [PARTITION], "benchmark")
            ):
                outcomes += more
        for count in ("read", "loaded", "quarantined", "duplicate"):
            said[count] = sum(getattr(outcome, count) for outcome in outcomes)
        if options.traced:
            telemetry.end()
        stack.close()
        said["seen"] = asdict(seen) if seen else None


if __name__ == "__main__":
    main()
