"""A day of a platform under load and random kills, in less: `python -m endurance --minutes 30 [--seed 7]`.

It carries a day's files, records and requests, that much faster, on real processes, and goes on killing one of them.
At the end nothing is lost, nothing is there twice, no run is stuck, memory, open files and connections have not grown,
and 99.9 % of requests were answered. Exits with 1 where any of it is not so.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from end_to_end.installation import LASTMILE, Installation, wait_for
from endurance.calls import Callers
from endurance.field import DATASET, PARTITION, Field
from endurance.kills import Kills
from endurance.measuring import Measuring, numbers
from endurance.page import picture
from endurance.verdict import faults_of_data, faults_of_growth, faults_of_requests, faults_of_runs
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port

#: Files of a day, as of 200 teams that send one each.
FILES = 200


def main() -> int:
    wanted = _arguments()
    folder = wanted.to or Path(tempfile.mkdtemp(prefix="lastmile-day-"))
    folder.mkdir(parents=True, exist_ok=True)
    with Installation(folder / "home") as platform:
        address = _up(platform)
        return _day(platform, address, folder, wanted)


def _up(platform: Installation) -> str:
    """Starts it, and waits for the sample's report; the address of the API."""
    ui, api, said = free_port(), free_port(), platform.home.parent / "up.log"
    print(f"starting the platform; it writes to {said}", flush=True)
    with said.open("w") as output:
        platform.start("up", "--port", str(ui), "--api-port", str(api), output=output)
    wait_for(lambda: "drops are ingested as they come" in said.read_text(), 1800, 1)
    return f"http://127.0.0.1:{api}"


def _day(platform: Installation, address: str, folder: Path, wanted: argparse.Namespace) -> int:
    sent = Field(platform.home / "store" / "landing" / DATASET / PARTITION, wanted.seed)
    callers = Callers(address, _key(platform), sent, _households(platform), wanted.requests)
    kills = Kills(platform, wanted.minutes * 60 / wanted.kills, wanted.seed)
    measuring = Measuring(platform, folder / "samples.jsonl", max(2.0, wanted.minutes / 3))
    for part in (measuring, callers, kills):
        part.start()
    _land(sent, wanted.minutes * 60, callers, kills)
    for part in (kills, callers):
        part.stop()
    since = time.monotonic()
    _wait_until_drained(platform)
    measuring.stop()
    answers = callers.answers
    with psycopg.connect(postgres.running(platform.home / "postgres") or "") as connection:
        faults = [
            *faults_of_data(connection, sent),
            *faults_of_runs(measuring.samples),
            *faults_of_requests(answers),
            *faults_of_growth(measuring.samples),
        ]
    picture(measuring.samples, kills.at, folder / "day.png")
    print(
        f"\n{len(sent.accepted):,} rows accepted, {len(sent.unanswered):,} unanswered; kills: {dict(kills.done)}\n"
        f"requests: {answers.counts.total():,}; at once {answers.share('at_once'):.3%}, with the caller's second tries"
        f" {answers.share('at_once', 'later'):.3%}; slowest {max(answers.seconds):.1f} s;"
        f" statuses {dict(answers.statuses)}\n"
        f"all was loaded {time.monotonic() - since:.0f} s after the last; {folder / 'day.png'} shows the day"
    )
    print("\n".join(f"WRONG: {fault}" for fault in faults) or "the day went well")
    return 1 if faults else 0


def _land(sent: Field, seconds: float, callers: Callers, kills: Kills) -> None:
    shown = Progress(MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with shown:
        task = shown.add_task("", total=FILES)
        for _ in range(FILES):
            sent.land()
            time.sleep(seconds / FILES)
            count, share = callers.answers.counts.total(), callers.answers.share("at_once", "later")
            said = f"{count:,} requests, {share:.2%} answered; {kills.done.total()} kills"
            shown.update(task, advance=1, description=said)


def _wait_until_drained(platform: Installation) -> None:
    def drained() -> bool:
        found = numbers(platform)
        return found.get("waiting") == 0 and found.get("oldest_run_seconds") == 0

    # Records that wait for their second, the sensor, the queue: drained is so twice, a while apart.
    wait_for(lambda: drained() and (time.sleep(15) or drained()), 1800, 2)


def _key(platform: Installation) -> str:
    made = subprocess.run(
        [LASTMILE, "keys", "create", "day", "--role", "engineer", "--quiet"],
        env=platform.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()


def _households(platform: Installation) -> list[str]:
    with psycopg.connect(postgres.running(platform.home / "postgres") or "") as connection:
        rows = connection.execute("SELECT hhid FROM predictions.vulnerability LIMIT 200").fetchall()
    return [row[0] for row in rows]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long the day takes")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills", type=int, default=48, help="in the day")
    parser.add_argument("--requests", type=float, default=20, help="a second")
    parser.add_argument("--to", type=Path, help="folder of the home, the samples and the picture")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
