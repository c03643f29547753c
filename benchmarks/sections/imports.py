"""What does it cost to start? The intake of a drop of 100 rows, with Python's own account of its imports."""

import os
import re
import subprocess
import sys
from collections import Counter

from benchmarks.bench import Bench
from benchmarks.comparing import PROJECT, interleaved, whole_job
from benchmarks.results import Found

ROWS = 100
MOST = 10
#: What each of these costs before it does anything.
STARTS = {
    "Python alone": "pass",
    "the contract's module": "import lastmile.contracts.contract",
    "the engine": "import lastmile.ingestion.worker",
    "the command line": "import lastmile.cli.app",
}
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def run(bench: Bench) -> list[Found]:
    job = whole_job(bench.site, bench.surveys.of(ROWS))
    tally = interleaved([job], bench.rounds, bench.site, bench.console)[job.name]
    job.before()
    traced = subprocess.run(
        [sys.executable, "-X", "importtime", *list(job.command)[1:]],
        env={**os.environ, **job.environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    spent: Counter[str] = Counter()
    for microseconds, module in _LINE.findall(traced.stderr):
        spent[module.partition(".")[0]] += int(microseconds)
    starts: list[dict[str, object]] = [
        {"what": name, "CPU s": min(_cpu(code) for _ in range(bench.rounds))} for name, code in STARTS.items()
    ]
    starts += [
        {"what": f"intake of {ROWS} rows: up to its first statement", "CPU s": tally.median("start_cpu")},
        {"what": f"intake of {ROWS} rows: from then to its end", "CPU s": tally.median("cpu")},
    ]
    packages = [{"package": name, "seconds": spent[name] / 1e6} for name, _ in spent.most_common(MOST)]
    total = {"package": f"all {len(spent)}", "seconds": spent.total() / 1e6}
    return [
        Found(f"What starting costs, best of {bench.rounds}", starts),
        Found(f"Imports of the intake of {ROWS} rows, by -X importtime", [*packages, total]),
    ]


def _cpu(code: str) -> float:
    program = f"{code}\nimport resource as r; u = r.getrusage(r.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROJECT)
    return float(done.stdout.splitlines()[-1])
