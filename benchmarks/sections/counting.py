"""What does counting for Prometheus cost the intake? The whole job as a worker that counts its spans, and without."""

from dataclasses import replace
from statistics import median

from benchmarks.bench import Bench
from benchmarks.comparing import Contender, Tally, interleaved, whole_job
from benchmarks.results import Found
from benchmarks.sections import small

#: Rows of the survey that is cut into small drops, of the usual ones.
_PART = 4


def run(bench: Bench) -> list[Found]:
    one, many = bench.surveys.of(bench.rows), bench.surveys.of(bench.rows // _PART)
    rows = [_compared(bench, whole_job(bench.site, one), f"a drop of {one.rows:,} rows")]
    small.land(bench.site, many)
    in_part = replace(whole_job(bench.site, many), before=bench.site.clear, check=lambda _: None)
    rows.append(_compared(bench, in_part, f"{many.rows // small.ROWS:,} small drops"))
    return [Found(f"Counting: on in relation to off, median of {bench.rounds}", rows)]


def _compared(bench: Bench, job: Contender, what: str) -> dict[str, object]:
    on = replace(job, name="on", command=[*job.command, "--counted"])
    tallies = interleaved([replace(job, name="off"), on], bench.rounds, bench.site, bench.console)
    if failed := tallies["off"].failed or tallies["on"].failed:
        return {"what": what, "note": f"failed: {failed}"}
    return {
        "what": what,
        "time": _ratio(tallies, "seconds"),
        "CPU of the process": _ratio(tallies, "cpu"),
        "CPU s without": tallies["off"].median("cpu"),
        "CPU s with": tallies["on"].median("cpu"),
    }


def _ratio(tallies: dict[str, Tally], name: str) -> float:
    """Of the rounds' ratios the median: what the machine does meanwhile falls on both of a round."""
    pairs = zip(tallies["on"].costs, tallies["off"].costs, strict=True)
    return round(median(getattr(one, name) / getattr(other, name) for one, other in pairs), 3)
