"""A year of a sensor that ticks every 4 seconds and of 200 runs a day, cleaned up every night.

The platform first works for real: through its sample, then through drops that arrive later. The rows that the second
wrote into Dagster's tables are the pattern of every run of the year; what retention removes, and keeps, is therefore
what it meets on a real installation. Each night it is the function that the nightly job calls.

    python -m benchmarks.retention --days 365 --without 45
"""

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, NamedTuple

import psycopg
import typer

from benchmarks.retention.plot import plot
from benchmarks.retention.simulated import add_day, take_pattern
from lastmile.embedded import postgres
from lastmile.operations.retention import history
from lastmile.settings.retention import RetentionSettings

LASTMILE = str(Path(sys.executable).with_name("lastmile"))


class Night(NamedTuple):
    """After the clean-up of a day: sizes in bytes, the seconds that it cost, rows that it removed."""

    day: int
    database: int
    history: int
    seconds: float
    removed: int
    runs: int
    events: int


def main(
    days: Annotated[int, typer.Option(help="Days with retention.")] = 365,
    without: Annotated[int, typer.Option(help="Days without.")] = 45,
    runs: Annotated[int, typer.Option(help="Runs a day.")] = 200,
    tick_seconds: Annotated[int, typer.Option(help="A tick that requests nothing every so many seconds.")] = 4,
    home: Annotated[Path | None, typer.Option(help="A platform that worked before (default: a new one).")] = None,
    after_run: Annotated[int | None, typer.Option(help="The pattern is of runs after this one.")] = None,
    to: Annotated[Path, typer.Option(help="Folder of the figures.")] = Path("benchmarks/results"),
) -> None:
    """Simulates the days and writes retention.csv and retention.svg."""
    folder = home or Path(mkdtemp(prefix="lastmile-retention-"))
    first = after_run if after_run is not None else _work(folder)
    ticks = 86_400 // tick_seconds
    found: dict[str, list[Night]] = {}
    with postgres.started(folder / "postgres") as url:
        for name, several, keep in (("without", without, None), ("with", days, RetentionSettings())):
            with _copied(url) as copy, psycopg.connect(copy, autocommit=True) as connection:
                took = take_pattern(connection, first)
                print(f"{name} retention: {several} days of {runs} runs like {took} real ones", flush=True)
                found[name] = []
                for night in _nights(connection, several, runs, ticks, keep):
                    found[name].append(night)
                    _write(to / f"retention-{name}.csv", found[name])
    plot(found, to / "retention.svg")
    if home is None:
        shutil.rmtree(folder, ignore_errors=True)


def _work(home: Path) -> int:
    """Let the platform work on its sample, then on later drops; the last run of the first part."""
    environment = {**os.environ, "LASTMILE_HOME": str(home)}
    subprocess.run([LASTMILE, "up", "--once"], env=environment, check=True)
    with postgres.started(home / "postgres") as url, psycopg.connect(url) as connection:
        ((last,),) = connection.execute("SELECT max(id) FROM dagster.runs").fetchall()
    drops = ["sample", "household_survey", "--size", "40", "--partitions", "2023", "--seed", "11"]
    subprocess.run([LASTMILE, *drops], env=environment, check=True)
    subprocess.run([LASTMILE, "up", "--once"], env=environment, check=True)
    return int(last)


@contextmanager
def _copied(url: str) -> Iterator[str]:
    """The database once more, while the block lasts."""
    server, _, own = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS simulated WITH (FORCE)")
        connection.execute(f"CREATE DATABASE simulated TEMPLATE {own} STRATEGY file_copy".encode())
        yield f"{server}/simulated"
        connection.execute("DROP DATABASE simulated WITH (FORCE)")


def _nights(
    connection: psycopg.Connection, days: int, runs: int, ticks: int, keep: RetentionSettings | None
) -> Iterator[Night]:
    began = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    for day in range(1, days + 1):
        add_day(connection, began + timedelta(days=day - 1), runs, ticks)
        since = time.monotonic()
        removed = history.clean(connection, keep, now=began + timedelta(days=day)) if keep else {}
        night = Night(day, *_sizes(connection), time.monotonic() - since, sum(removed.values()), *_counts(connection))
        if day % 5 == 0 or day == 1:
            print(night, flush=True)
        yield night


def _sizes(connection: psycopg.Connection) -> tuple[int, int]:
    ((database, of_history),) = connection.execute(
        "SELECT pg_database_size(current_database()) - (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
        "  WHERE relnamespace = 'pattern'::regnamespace AND relkind = 'r'),"
        " (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
        "  WHERE relnamespace = 'dagster'::regnamespace AND relkind = 'r')"
    ).fetchall()
    return int(database), int(of_history)


def _counts(connection: psycopg.Connection) -> tuple[int, int]:
    found = connection.execute(
        "SELECT (SELECT count(*) FROM dagster.runs), (SELECT count(*) FROM dagster.event_logs)"
    ).fetchall()
    return int(found[0][0]), int(found[0][1])


def _write(file: Path, nights: list[Night]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(Night._fields)
        writer.writerows(nights)


if __name__ == "__main__":
    typer.run(main)
