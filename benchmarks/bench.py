"""What every section of the benchmarks is given."""

from dataclasses import dataclass

from rich.console import Console

from benchmarks.comparing import Tally, ratio
from benchmarks.site import Site
from benchmarks.surveys import Surveys


@dataclass(frozen=True)
class Bench:
    """`rows` is the usual size of the survey; smaller and larger ones are fractions and multiples of it."""

    site: Site
    surveys: Surveys
    rows: int
    rounds: int
    console: Console


def row(name: str, tally: Tally, against: Tally, base: str = "COPY") -> dict[str, object]:
    """What a contender cost, in the terms all tables share; why not, where it failed."""
    if tally.failed or not (tally.costs and against.costs):
        return {"what": name, "note": f"failed: {tally.failed}"}
    return {
        "what": name,
        f"time, {base} = 1": ratio(tally, against),
        f"CPU, {base} = 1": tally.all_cpu / against.all_cpu,
        "seconds": tally.median("seconds"),
        "CPU s": tally.median("cpu"),
        "CPU s of Postgres": tally.median("server_cpu"),
        "CPU s of imports": tally.median("start_cpu"),
        "peak MB": tally.median("peak_mb"),
        "MB of imports": tally.median("start_mb"),
    }
