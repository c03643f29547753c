"""The intake's whole job on the drop that lies in the landing area, as a process of its own: found, taken, committed.

python -m benchmarks.whole_job [--profile FILE]
"""

import argparse
import cProfile
from contextlib import nullcontext

from benchmarks.peers.timing import work
from benchmarks.survey import PARTITION, SURVEY
from lastmile.intake.discovering import discover
from lastmile.intake.engine import take_pending
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connecting import connect, database_url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", help="write where the time went, as cProfile does")
    profile = parser.parse_args().profile
    profiler = cProfile.Profile() if profile else nullcontext()
    settings = Settings.from_environment()
    with work() as said, profiler:
        with connect(database_url(settings)) as connection:
            store = open_store(settings)
            discover(connection, store, {SURVEY.name: SURVEY})
            outcomes = take_pending(connection, store, SURVEY, [PARTITION], "benchmark")
        said["drops"] = len(outcomes)
        for count in ("read", "loaded", "quarantined", "duplicate"):
            said[count] = sum(getattr(outcome, count) for outcome in outcomes)
    if isinstance(profiler, cProfile.Profile):
        profiler.dump_stats(profile)


if __name__ == "__main__":
    main()
