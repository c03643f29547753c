"""Whatever is killed and whenever: windows, drops and quarantine are those of a stream to which nothing happened.

Two histories of about 30 s each; all of them with `--every-history`.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from faults.streams.history import KINDS, History, counted, history, places, windows
from faults.streams.playing import Stage
from faults.workers import Workers
from kafka_broker import RunningBroker
from psycopg.rows import dict_row

from lastmile.embedded import postgres as embedded_postgres
from lastmile.store import Store
from lastmile.warehouse.migrate import migrate

SEEDS = range(1, 41)
#: Between them every kind of fault strikes.
FEW = (3, 4)

_AGGREGATED = """
    SELECT shop, date_trunc('minute', at) AS window_start, date_trunc('minute', at) + interval '1 minute' AS window_end,
        count(*) AS sales, sum(cents) AS cents, min(cents) AS least, max(cents) AS most, count(note) AS notes
    FROM (SELECT DISTINCT ON (sale) * FROM sent ORDER BY sale) once
    GROUP BY 1, 2 ORDER BY 2, 1
"""


@pytest.fixture(scope="module")
def stream_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    workers = Workers(tmp_path_factory.mktemp("consumers") / "log", module="faults.streams.consumer")
    yield workers
    workers.close()


@pytest.fixture
def stage(stream_workers: Workers, killable_kafka: RunningBroker, store: Store, tmp_path: Path) -> Iterator[Stage]:
    """A broker, a Postgres and a store of this history's own."""
    folder = tmp_path / "postgres"
    with embedded_postgres.started(folder) as url:
        migrate(url)

        def kill() -> None:
            pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGKILL)
            embedded_postgres.start(folder)

        yield Stage(killable_kafka, stream_workers, url, store, kill)
        stream_workers.kill_all()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stream_seed" in metafunc.fixturenames:
        one = metafunc.config.getoption("--seed", default=None)
        every = metafunc.config.getoption("--every-history")
        metafunc.parametrize("stream_seed", [one] if one is not None else SEEDS if every else FEW)


def test_nothing_is_lost_or_doubled_whatever_is_killed(stage: Stage, stream_seed: int) -> None:
    one = history(stream_seed)
    stage.play(one)
    assert stage.windows() == windows(one)
    assert stage.windows() == aggregated(stage, one)
    assert stage.landed() == places(one, of_events=True)
    found = stage.rows("SELECT partition, committed, landed, events FROM streams.positions ORDER BY partition")
    ends = [(number, len(sent), len(sent)) for number, sent in sorted(one.partitions().items())]
    assert [(row["partition"], row["committed"], row["landed"]) for row in found] == ends
    assert sum(row["events"] for row in found) == len(counted(one.partitions()))
    left_out = stage.rows("SELECT partition, \"offset\" FROM quarantine.messages WHERE rule = 'message' ORDER BY 1, 2")
    assert [(row["partition"], row["offset"]) for row in left_out] == places(one, of_events=False)


def test_the_few_histories_have_every_kind_of_fault() -> None:
    assert {turn.kind for seed in FEW for turn in history(seed).rounds} == set(KINDS)


def aggregated(stage: Stage, one: History) -> list[dict]:
    """The window as plain SQL over all events that count."""
    with psycopg.connect(stage.database_url) as connection:
        connection.execute("CREATE TEMP TABLE sent (sale text, at timestamptz, shop text, cents bigint, note text)")
        with connection.cursor().copy("COPY sent FROM STDIN") as copy:
            for event in counted(one.partitions()):
                copy.write_row([event[name] for name in ("sale", "at", "shop", "cents", "note")])
        return connection.cursor(row_factory=dict_row).execute(_AGGREGATED.encode()).fetchall()
