"""How many small drops a second does the engine ingest? One for each hundred rows of the usual survey.

`python benchmarks/backlog.py` does the same through the landing sensor, in several partitions.
"""

from itertools import islice

from benchmarks.bench import Bench
from benchmarks.comparing import Contender, interleaved, whole_job
from benchmarks.measuring import Cost, Failed
from benchmarks.results import Found
from benchmarks.site import Site
from benchmarks.survey import PARTITION, SURVEY
from benchmarks.surveys import Survey

ROWS = 100


def run(bench: Bench) -> list[Found]:
    survey, drops = bench.surveys.of(bench.rows), bench.rows // ROWS

    def check(cost: Cost) -> None:
        if (cost.said["read"], cost.said["loaded"]) != (survey.rows, survey.good):
            raise Failed(f"expected {survey.rows:,} rows read and {survey.good:,} loaded, found {cost.said}")

    with bench.console.status(f"making {drops:,} drops"):
        land(bench.site, survey)
    command = whole_job(bench.site, survey).command
    job = Contender("small drops", command, bench.site.clear, check, bench.site.environment)
    tally = interleaved([job], bench.rounds, bench.site, bench.console)[job.name]
    if tally.failed:
        return [Found("Small drops", [{"what": job.name, "note": f"failed: {tally.failed}"}])]
    figures = {
        "drops": drops,
        "rows in each": ROWS,
        "drops a second": drops / tally.median("seconds"),
        "CPU ms a drop": tally.median("cpu") / drops * 1000,
        "CPU ms of Postgres a drop": tally.median("server_cpu") / drops * 1000,
        "peak MB": tally.median("peak_mb"),
    }
    return [Found(f"Small drops, median of {bench.rounds}", [figures])]


def land(site: Site, survey: Survey) -> None:
    """Make slices of the survey, each with the header, the only drops there are."""
    for listed in list(site.store.list("landing")):
        site.store.delete(listed.key)
    with survey.file.open("rb") as file:
        header, number = file.readline(), 0
        while lines := list(islice(file, ROWS)):
            site.store.put(f"landing/{SURVEY.name}/{PARTITION}/{number:06}.csv", header + b"".join(lines))
            number += 1
