"""What do bad rows cost? The same survey with 0, 1, 10 and 50 % of its rows bad, all of them quarantined."""

from benchmarks.bench import Bench, row
from benchmarks.comparing import interleaved, whole_job
from benchmarks.results import Found

SHARES = (0.01, 0.0, 0.1, 0.5)


def run(bench: Bench) -> list[Found]:
    jobs = {share: whole_job(bench.site, bench.surveys.of(bench.rows, share), f"{share:.0%} bad") for share in SHARES}
    tallies = interleaved(list(jobs.values()), bench.rounds, bench.site, bench.console)
    base = jobs[SHARES[0]].name
    rows = [row(job.name, tallies[job.name], tallies[base], base=base) for _, job in sorted(jobs.items())]
    return [Found(f"{bench.rows:,} rows with more and less dirt, median of {bench.rounds}", rows)]
