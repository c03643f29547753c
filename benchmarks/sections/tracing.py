"""What do traces cost the intake? The whole job with spans sent to a real collector, and without, in turn.

The collector is a process of its own, which reads and drops what it is sent.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

from benchmarks.bench import Bench
from benchmarks.comparing import PROJECT, Contender, Tally, interleaved, whole_job
from benchmarks.measuring import Cost, Failed
from benchmarks.results import Found
from benchmarks.sections import small
from benchmarks.surveys import Survey

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
#: Rows of the survey that is cut into small drops, of the usual ones.
_PART = 4


def run(bench: Bench) -> list[Found]:
    one, many = bench.surveys.of(bench.rows), bench.surveys.of(bench.rows // _PART)
    with _collector() as url:
        large = whole_job(bench.site, one)
        rows = [_compared(bench, large, url, f"a drop of {one.rows:,} rows")]
        small.land(bench.site, many)
        rows.append(_compared(bench, _of_small(bench, many), url, f"{many.rows // small.ROWS:,} small drops"))
    return [Found(f"Traces: on in relation to off, median of {bench.rounds}", rows)]


def _of_small(bench: Bench, survey: Survey) -> Contender:
    def check(cost: Cost) -> None:
        if (cost.said["read"], cost.said["loaded"]) != (survey.rows, survey.good):
            raise Failed(f"expected {survey.rows:,} rows read and {survey.good:,} loaded, found {cost.said}")

    command = whole_job(bench.site, survey).command
    return Contender("small drops", command, bench.site.clear, check, bench.site.environment)


def _compared(bench: Bench, job: Contender, url: str, what: str) -> dict[str, object]:
    traced = {**job.environment, _ENDPOINT: url}
    on = replace(job, name="on", command=[*job.command, "--traced"], environment=traced)
    tallies = interleaved([replace(job, name="off"), on], bench.rounds, bench.site, bench.console)
    off, on_ = tallies["off"], tallies["on"]
    if failed := off.failed or on_.failed:
        return {"what": what, "note": f"failed: {failed}"}
    return {
        "what": what,
        "time": _ratio(on_, off, "seconds"),
        "CPU of the process": _ratio(on_, off, "cpu"),
        "CPU s without": off.median("cpu"),
        "CPU s with": on_.median("cpu"),
    }


def _ratio(on: Tally, off: Tally, name: str) -> float:
    """Of the rounds' ratios the median: what the machine does meanwhile falls on both of a round."""
    pairs = zip(on.costs, off.costs, strict=True)
    return round(median(getattr(one, name) / getattr(other, name) for one, other in pairs), 3)


@contextmanager
def _collector() -> Iterator[str]:
    program = [sys.executable, "-m", "benchmarks.collector"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        try:
            if process.stdout is None:
                raise Failed("the collector says nothing")
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
