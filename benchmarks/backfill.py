"""What a backfill of years of daily partitions costs on top of its SQL, and what dbt's own strategies cost for it.

It starts a Postgres, a home and the platform of its own, ingests some days of a shop through the daemon, repeats their
rows over all days, and then makes one table of all of them again in five ways. Nothing is left.

    python benchmarks/backfill.py --days 1800 --invoices 125 --batches 30
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
from dagster import RunsFilter
from rich.console import Console
from rich.table import Table

from assets.retail.sample import generate_shop
from lastmile.contracts import load_contracts
from lastmile.embedded import postgres
from lastmile.embedded.session import Session, session
from lastmile.operations.samples import land
from lastmile.orchestration.backfills import Range, request, rooms
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connections import libpq_environment
from lastmile.warehouse.dbt.project import prepared
from lastmile.warehouse.tables import ensure_table

FIRST = date(2019, 1, 1)
MODEL = "int_retail_lines"
STRATEGIES = {
    "delete+insert": "incremental_strategy='delete+insert', unique_key='partition_start'",
    "microbatch": "incremental_strategy='microbatch', event_time='partition_start', batch_size='day',"
    " begin='2019-01-01', unique_key=['drop_id', 'line_number']",
}
#: The rows of the days ingested, on every later day; each with a drop of its own, so that no two lines are the same.
REPEAT = """
INSERT INTO raw.retail_lines
SELECT invoice_no, stock_code, description, quantity, invoice_date + days * interval '1 day', unit_price, customer_id,
    country, _drop_id + days * 1000, _line, _partition_start + days, _run_id, _loaded_at, _rescued
FROM raw.retail_lines, generate_series(%(ingested)s, %(all)s - 1, %(ingested)s) AS days
WHERE _partition_start + days < %(end)s
"""


class Meter:
    """CPU of everything that was started here and of the database, time of the database's statements, wall time."""

    def __init__(self, url: str, server: Path) -> None:
        self._url = url
        self._postmaster = psutil.Process(int((server / "data" / "postmaster.pid").read_text().split()[0]))

    def read(self) -> dict[str, float]:
        own, servers = psutil.Process(), [self._postmaster, *self._postmaster.children()]
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            (active,) = connection.execute(
                "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"
            ).fetchone() or (0,)
        return {
            "wall": time.perf_counter(),
            "cpu": _cpu(own) + sum(_cpu(child) for child in own.children(recursive=True) if child not in servers),
            "database cpu": sum(map(_cpu, servers)),
            "statements": active / 1000,
        }

    @contextmanager
    def over(self, into: dict[str, float]) -> Iterator[None]:
        """Adds what is used meanwhile, in seconds."""
        before = self.read()
        yield
        into.update({name: value - before[name] for name, value in self.read().items()})


def _cpu(process: psutil.Process) -> float:
    """Seconds of a process and of those it has waited for."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def through_the_daemon(running: Session, meter: Meter, wanted: Range) -> dict[str, float]:
    used: dict[str, float] = {}
    with meter.over(used):
        backfill = request(running.instance, running.settings.dagster_home / "workspace.yaml", wanted, {})
        while backfill.is_done(running.instance) is None:
            running.keep_up()
            time.sleep(0.5)
    if not backfill.is_done(running.instance):
        raise SystemExit(f"backfill {backfill.backfill_id} failed; see {running.settings.home / 'logs'}")
    made, _ = backfill.progress(running.instance)
    runs = running.instance.get_runs_count(RunsFilter(tags={"dagster/backfill": backfill.backfill_id}))
    return {**used, "runs": runs, "partitions": made}


class Dbt:
    """dbt in a copy of the project that has the same table made by dbt's own strategies too."""

    def __init__(self, settings: Settings, url: str, folder: Path) -> None:
        os.environ.update(libpq_environment(url))
        shutil.copytree(prepared(settings, load_contracts()), folder, ignore=shutil.ignore_patterns("target"))
        here = ["--project-dir", "--profiles-dir"]
        self._folders = [*(word for name in here for word in (name, str(folder))), "--target-path", f"{folder}/target"]
        staged = folder / "models" / "staging" / "retail" / "stg_retail_lines.sql"
        staged.write_text("{{ config(event_time='partition_start') }}\n" + staged.read_text())
        body = (folder / "models" / "intermediate" / "retail" / f"{MODEL}.sql").read_text()
        for name, config in STRATEGIES.items():
            stock = body if name != "microbatch" else body.replace("where {{ in_window('partition_start') }}", "")
            file = folder / "models" / "intermediate" / "retail" / f"stock_{_word(name)}.sql"
            file.write_text(f"{{{{ config({config}) }}}}\n{stock}")

    def run(self, model: str, first: date, after: date, *options: str) -> str:
        """Makes the window of a model; returns its compiled SQL. dbt is run in this process, but for its start-up."""
        from dbt.cli.main import dbtRunner

        window = ["--event-time-start", first.isoformat(), "--event-time-end", after.isoformat()]
        command = ["--quiet", "--log-level-file", "none", "run", "--select", model, *window, *options, *self._folders]
        done = dbtRunner().invoke(command)
        if not done.success:
            raise SystemExit(str(done.exception or [result.message for result in done.result]))
        return str(done.result[0].node.compiled_code)


def _word(strategy: str) -> str:
    return strategy.replace("+", "_")


def by_sql_alone(url: str, select: str, first: date, after: date) -> None:
    """The statements of the strategy, in one transaction."""
    window = f"partition_start >= '{first}' AND partition_start < '{after}'"
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TEMP TABLE made AS {select}".encode())
        connection.execute(f"DELETE FROM intermediate.{MODEL} WHERE {window}".encode())
        connection.execute(f"INSERT INTO intermediate.{MODEL} SELECT * FROM made".encode())


def measured(meter: Meter, make: Callable[[], Any], **more: float) -> dict[str, float]:
    used: dict[str, float] = {}
    with meter.over(used):
        make()
    return {**used, **more}


def show(console: Console, found: Mapping[str, Mapping[str, float]], rows: int) -> None:
    columns = ("runs", "partitions", "wall", "cpu", "database cpu", "statements")
    table = Table("", *columns, title=f"{rows:,} rows; seconds")
    for name, used in found.items():
        cells = (f"{used[column]:,.1f}".removesuffix(".0") if column in used else "" for column in columns)
        table.add_row(name, *cells)
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--invoices", type=int, default=50, help="a day, of 22 lines each")
    parser.add_argument("--ingested", type=int, default=28, help="days ingested")
    parser.add_argument("--without-daemon", action="store_true", help="dbt and its SQL only")
    parser.add_argument("--batches", type=int, default=30, help="days made by microbatch")
    given = parser.parse_args(arguments)
    end = FIRST + timedelta(days=given.days)
    with tempfile.TemporaryDirectory() as folder, postgres.started(Path(folder, "server")) as url:
        os.environ.update(LASTMILE_HOME=f"{folder}/home", LASTMILE_DATABASE_URL=url)
        settings = Settings.from_environment()
        meter, console, found = Meter(url, Path(folder, "server")), Console(), {}
        days, invoices = _days(given.ingested), given.invoices
        land(
            open_store(settings), lambda to, done: generate_shop(to, days, invoices, done=lambda _, drops: done(drops))
        )
        if given.without_daemon:
            take(settings, url, _days(given.ingested))
            repeat(url, given.ingested, given.days)
        else:
            found |= by_daemon(settings, url, meter, given.ingested, given.days)
        dbt = Dbt(settings, url, Path(folder, "stock"))
        dbt.run("stg_retail_lines", FIRST, end)
        select = dbt.run(MODEL, FIRST, end)
        for name in STRATEGIES:
            dbt.run(f"stock_{_word(name)}", FIRST, end if name != "microbatch" else FIRST + timedelta(days=1))
        with psycopg.connect(url, autocommit=True) as connection:
            rows = connection.execute(f"SELECT count(*) FROM intermediate.{MODEL}".encode()).fetchone() or (0,)
            rest = f"SELECT * FROM intermediate.{MODEL} WHERE partition_start > '{FIRST}'"
            connection.execute(f"INSERT INTO intermediate.stock_microbatch {rest}".encode())
            connection.execute("VACUUM ANALYZE")
        days = {"runs": 1, "partitions": given.days}
        batches = FIRST + timedelta(days=given.batches)
        found["its SQL alone"] = measured(meter, lambda: by_sql_alone(url, select, FIRST, end), **days)
        found["dbt, window"] = measured(meter, lambda: dbt.run(MODEL, FIRST, end), **days)
        found["dbt, delete+insert"] = measured(meter, lambda: dbt.run("stock_delete_insert", FIRST, end), **days)
        found["dbt, microbatch"] = measured(
            meter, lambda: dbt.run("stock_microbatch", FIRST, batches), runs=1, partitions=given.batches
        )
        show(console, found, rows[0])


def by_daemon(settings: Settings, url: str, meter: Meter, ingested: int, days: int) -> dict[str, dict[str, float]]:
    """The intake of some days, then the table of all days made again."""
    whole = Range(f'key:"intermediate/{MODEL}"', str(FIRST), str(_days(days)[-1]))
    with session(settings, None) as running:
        first = Range(rooms(["retail_lines"]), str(FIRST), str(_days(ingested)[-1]))
        intake = through_the_daemon(running, meter, first)
        settle(running)
        repeat(url, ingested, days)
        through_the_daemon(running, meter, whole)
        settle(running)
        again = through_the_daemon(running, meter, whole)
    return {"intake, through the daemon": intake, "the table, through the daemon": again}


def take(settings: Settings, url: str, days: Sequence[date]) -> None:
    """The same intake, in this process."""
    from lastmile.ingestion.discovery.listing import discover
    from lastmile.ingestion.worker import ingest_pending
    from lastmile.warehouse.migrate import migrate

    migrate(url)
    contracts, store = load_contracts(), open_store(settings)
    with psycopg.connect(url, autocommit=True) as connection:
        for contract in contracts.values():
            ensure_table(connection, contract)
        discover(connection, store, contracts)
        ingest_pending(connection, store, contracts["retail_lines"], [str(day) for day in days], "a run")


def repeat(url: str, ingested: int, days: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(REPEAT, {"ingested": ingested, "all": days, "end": FIRST + timedelta(days=days)})


def _days(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def settle(running: Session) -> None:
    """Until nothing is under way, so that it is not measured."""
    while not running.state()[0].settled:
        time.sleep(1)


if __name__ == "__main__":
    main()
