"""Where does the whole job's time go? By function of ours over all its threads, and by process."""

from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.comparing import interleaved, whole_job
from benchmarks.results import Found

MOST = 15


def run(bench: Bench) -> list[Found]:
    plain = whole_job(bench.site, bench.surveys.of(bench.rows))
    job = replace(plain, name="the whole job, sampled", command=[*plain.command, "--sampled"])
    tally = interleaved([job], 1, bench.site, bench.console)[job.name]
    if tally.failed:
        return [Found("Where the time goes", [{"what": job.name, "note": f"failed: {tally.failed}"}])]
    (cost,) = tally.costs
    seen = sorted(cost.said["seen"]["places"].items(), key=lambda item: -item[1])[:MOST]
    places = [
        {"thread": thread, "where": place, "share of the time": f"{share:.0%}", "seconds": share * cost.seconds}
        for (thread, _, place), share in ((name.partition(": "), share) for name, share in seen)
    ]
    threads = sorted(cost.said["seen"]["threads"].items(), key=lambda item: -item[1])
    processes = [
        *({"what": f"threads {name}", "CPU s": seconds} for name, seconds in threads if seconds >= 0.01),
        {"what": "the job's process", "CPU s": cost.cpu},
        {"what": "Postgres", "CPU s": cost.server_cpu},
        {"what": f"both, of {cost.seconds:.1f} s on the clock", "CPU s": cost.cpu + cost.server_cpu},
    ]
    note = "Threads work at the same time; one that waits is counted where it waits, as is C code where it was called."
    return [
        Found(f"CPU of the whole job on {bench.rows:,} rows", processes),
        Found("Where its threads were", places, note),
    ]
