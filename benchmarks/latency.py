"""From a drop to a decision, through the real daemon: how long it takes, and what it costs to wait for one.

    python -m benchmarks.latency --drops 10

A platform of its own is started as `make run` does, with the usual sample. When all of that is made it is left alone
for a minute; then surveys of 120 households land in it, four small files each, one survey after the report on the one
before; at last a million records in some six hundred drops, of other years. Written: `benchmarks/results/latency.json`.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import psutil
import psycopg
import typer

from assets.household_survey.sample.generating import generate
from benchmarks import results
from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port

_OWN_VARIABLES = ("LASTMILE_", "DAGSTER_", "DBT_", "PG")
_HOUSEHOLDS = 120
#: Households and surveys of a million records.
_MILLION = (135_000, 150)
_LAST_YEAR = 2024
_PATIENCE_SECONDS = 900.0
#: A platform that is about to do something more, such as train a model, does so within so many seconds.
_SETTLED_SECONDS = 75.0


@dataclass
class Up:
    """A platform under `lastmile up`."""

    home: Path
    process: "subprocess.Popen[bytes]"
    began: float

    @property
    def report(self) -> Path:
        return self.home / "store" / "reports" / "vulnerability" / "latest.html"

    def reported_after(self, moment: float) -> float | None:
        """When the report was made anew, if it was after that moment."""
        made = self.report.stat().st_mtime if self.report.exists() else 0.0
        return made if made > moment else None

    def query(self, statement: str, *values: object) -> list[Any]:
        url = postgres.running(self.home / "postgres")
        with psycopg.connect(url or "", autocommit=True) as connection:
            return [row[0] for row in connection.execute(statement, values).fetchall()]

    def processes(self) -> list[psutil.Process]:
        """All of its processes, those of Postgres and what the daemon keeps for its workers among them."""
        server = int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        roots = [psutil.Process(self.process.pid), psutil.Process(server)]
        found = {one.pid: one for root in roots for one in (root, *root.children(recursive=True))}
        marked = f"LASTMILE_HOME={self.home}".encode()
        for one in psutil.process_iter():
            try:
                if marked in Path(f"/proc/{one.pid}/environ").read_bytes().split(b"\0"):
                    found[one.pid] = one
            except OSError:
                continue
        return list(found.values())


@contextmanager
def started(folder: Path) -> Iterator[tuple[Up, float]]:
    """A platform in a new home, and after how many seconds its web UI answered."""
    home, port = folder / "home", free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    environment = {**inherited, "LASTMILE_HOME": str(home), "DBT_PROFILES_DIR": str(folder)}
    command = [str(Path(sys.executable).parent / "lastmile"), "up", "--port", str(port), "--api-port", str(free_port())]
    with (folder / "up.log").open("wb") as log:
        began = time.time()
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(lambda: _answers(f"http://127.0.0.1:{port}"), "the web UI")
            yield Up(home, process, began), time.time() - began
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own address
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait(is_so: Callable[[], Any], what: str, seconds: float = _PATIENCE_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.05)
    return found


def settle(up: Up) -> None:
    """Wait until no run was under way for a while."""
    last = time.monotonic()
    while time.monotonic() - last < _SETTLED_SECONDS:
        if up.query("SELECT 1 FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED') LIMIT 1"):
            last = time.monotonic()
        time.sleep(1)


def idle(up: Up, seconds: float) -> Mapping[str, float]:
    """The share of a core that all processes use together, and their memory (proportional set size)."""
    before = {one.pid: sum(one.cpu_times()[:2]) for one in up.processes()}
    time.sleep(seconds)
    after = up.processes()
    used = sum(sum(one.cpu_times()[:2]) - before.get(one.pid, 0.0) for one in after)
    pss = sum(one.memory_full_info().pss for one in after)
    return {"idle_core_share": used / seconds, "idle_pss_mb": pss / 2**20}


def one_survey(up: Up, folder: Path, number: int) -> Mapping[str, float]:
    """Land a survey, its four files within a moment; seconds to its rows, its marts and the report on it, and runs."""
    made = folder / f"survey-{number}"
    generate(made, _HOUSEHOLDS, seed=1_000 + number, years=[_LAST_YEAR], surveys=1)
    files = [file for file in made.rglob("*") if file.is_file()]
    for file in files:
        _land(up, file, made, f"s{number}_")
    landed = time.time()
    mine, form = f"%/s{number}\\_%", next(file.parent.name for file in files)
    # A sample may have a file twice, which is a duplicate.
    rows = "SELECT 1 FROM ledger.drops WHERE key LIKE %s AND settled_at IS NOT NULL HAVING count(*) = %s"
    _wait(lambda: up.query(rows, mine, len(files)), "the rows")
    loaded = time.time()
    _wait(lambda: up.query("SELECT 1 FROM marts.dim_survey WHERE survey_id = %s", form), "the marts")
    in_marts = time.time()
    reported = _wait(lambda: up.reported_after(landed), "the report")
    runs = up.query("SELECT count(*) FROM dagster.runs WHERE create_timestamp > to_timestamp(%s)", landed)[0]
    time.sleep(3)
    return {
        "drop_to_rows_s": loaded - landed,
        "drop_to_marts_s": in_marts - landed,
        "drop_to_report_s": reported - landed,
        "runs_per_drop": runs,
    }


def a_million(up: Up, folder: Path) -> Mapping[str, float]:
    """Land a million records at once; seconds until all are settled, and until the report on all of them."""
    made = folder / "million"
    households, surveys = _MILLION
    truth = generate(made, households, seed=99, years=range(2015, 2019), surveys=surveys)
    files = [file for file in made.rglob("*") if file.is_file()]
    for file in files:
        _land(up, file, made, "million_")
    landed = time.time()
    open_drops = "SELECT 1 FROM ledger.drops WHERE key LIKE '%%/million\\_%%' AND settled_at IS NOT NULL"
    _wait(lambda: up.query(f"{open_drops} HAVING count(*) = %s", len(files)), "the rows")
    loaded = time.time()
    reported = _wait(lambda: up.reported_after(loaded), "the report")
    return {
        "million_records": sum(drop.read for drop in truth.drops),
        "million_drops": len(files),
        "million_to_rows_s": loaded - landed,
        "million_to_report_s": reported - landed,
    }


def _land(up: Up, file: Path, made: Path, mark: str) -> None:
    dataset, partition, survey, *rest = file.relative_to(made).parts
    to = up.home / "store" / "landing" / dataset / partition / f"{mark}{survey}" / "_".join(rest)
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.part")
    shutil.move(file, part)
    part.rename(to)


def main(
    drops: Annotated[int, typer.Option(help="Surveys that land, one after the other.")] = 10,
    idle_seconds: Annotated[float, typer.Option(help="How long the platform is left alone.")] = 60,
    million: Annotated[bool, typer.Option(help="Land a million records at the end.")] = True,
    to: Annotated[Path, typer.Option(help="File for the figures.")] = results.FOLDER / "latency.json",
) -> None:
    """Measures from drop to report, the start and the idle platform, prints a table and writes the figures.

    Example: python -m benchmarks.latency --drops 3 --no-million
    """
    console = results.screen(stderr=True)
    with TemporaryDirectory(prefix="lastmile-latency-") as name:
        folder = Path(name)
        with started(folder) as (up, to_ui):
            console.print(f"the web UI answered after {to_ui:.0f} s; waiting for the report")
            to_report = _wait(lambda: up.reported_after(up.began), "the first report") - up.began
            settle(up)
            waited = idle(up, idle_seconds)
            console.print(f"idle: {waited['idle_core_share']:.1%} of a core, {waited['idle_pss_mb']:,.0f} MB")
            found = []
            for number in range(drops):
                found.append(one_survey(up, folder, number))
                console.print(f"survey {number + 1}: {found[-1]['drop_to_report_s']:.1f} s to the report")
            large = a_million(up, folder) if million else {}
            machine = results.machine(postgres.running(up.home / "postgres") or "")
    medians = {what: statistics.median(one[what] for one in found) for what in found[0]}
    longest = {f"{what}_max": max(one[what] for one in found) for what in found[0]}
    start = {"start_to_ui_s": to_ui, "start_to_report_s": to_report}
    figures = {**medians, **longest, **large, **waited, **start}
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps({**figures, "drops": found, "machine": machine}, indent=1))
    shown = [{"what": what, "found": round(value, 3)} for what, value in figures.items()]
    table = results.Found(f"From a drop to a decision, {drops} surveys of {_HOUSEHOLDS} households", shown)
    to.with_suffix(".md").write_text(f"{results.markdown(table)}\n{', '.join(machine.values())}\n")
    results.screen().print(results.table(table))


if __name__ == "__main__":
    typer.run(main)
