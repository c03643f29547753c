"""What does a look of the landing sensor cost, with 0, 10 and 100,000 objects present (a tenth of the usual rows)?"""

import shutil
import sys
from pathlib import Path
from urllib.parse import urlparse

from benchmarks.bench import Bench
from benchmarks.comparing import PROJECT
from benchmarks.measuring import measured
from benchmarks.results import Found
from benchmarks.site import Site
from benchmarks.survey import PARTITION, SURVEY


def run(bench: Bench) -> list[Found]:
    rows = []
    for objects in (0, 10, bench.rows // 10):
        with bench.console.status(f"looking at {objects:,} objects"):
            _land(bench.site, objects)
            bench.site.clear()
            command = [sys.executable, "-m", "benchmarks.ticking"]
            cost = measured(command, bench.site.environment, bench.site.postmaster, folder=PROJECT)
        first, later = cost.said["first"], cost.said["later"]
        rows.append(
            {
                "objects": objects,
                "all new: seconds": first["seconds"],
                "all new: CPU s": first["cpu"],
                "none new: seconds": later["seconds"],
                "none new: CPU s": later["cpu"],
                "peak MB": cost.peak_mb,
            }
        )
    _land(bench.site, 0)
    return [Found("A look of the landing sensor, objects in a folder", rows)]


def _land(site: Site, objects: int) -> None:
    """Make this many objects the only ones, by way of files: the store's own takes a minute for so many."""
    landing = Path(urlparse(site.store_url).path) / "landing"
    shutil.rmtree(landing, ignore_errors=True)
    folder = landing / SURVEY.name / PARTITION
    folder.mkdir(parents=True)
    for number in range(objects):
        (folder / f"{number:06}.csv").write_text(f"visit_id\nV{number:010}\n")
