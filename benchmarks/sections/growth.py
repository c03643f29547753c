"""How do time and memory grow with the drop? The same comparison at 1, 2, 5 and 10 times the usual rows."""

from benchmarks.bench import Bench, row
from benchmarks.comparing import copy, interleaved, whole_job
from benchmarks.results import Found

TIMES = (1, 2, 5, 10)


def run(bench: Bench) -> list[Found]:
    rows: list[dict[str, object]] = []
    for times in TIMES:
        survey = bench.surveys.of(bench.rows * times)
        base, job = copy(bench.site, survey), whole_job(bench.site, survey)
        tallies = interleaved([base, job], bench.rounds, bench.site, bench.console)
        rows += [{"rows": survey.rows} | row(name, tally, tallies[base.name]) for name, tally in tallies.items()]
        if times > 1:
            bench.surveys.forget(survey)
    return [Found(f"Growing drops, median of {bench.rounds}", rows)]
