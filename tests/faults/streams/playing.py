"""Plays a history with real consumers, a real broker and a real Postgres, and says what is left in the end."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import polars as pl
import psycopg
from faults.streams.history import PARTITIONS, History, Round
from faults.workers import Workers
from kafka_broker import RunningBroker
from psycopg.rows import dict_row
from streamed import message

from lastmile.store import Store

_END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
#: How long a fault has to strike; a point may never be reached.
_STRIKES_SECONDS = 6.0


@dataclass
class Stage:
    """What a history is played on. `kill_postgres` kills the server and starts it again."""

    kafka: RunningBroker
    workers: Workers
    database_url: str
    store: Store
    kill_postgres: Callable[[], None]
    topic: str = field(init=False)
    keyed: bool = False
    _started: int = 0

    def play(self, one: History) -> None:
        """All rounds, then a consumer that reads the rest in peace."""
        self.topic, self.keyed = self.kafka.new_topic(PARTITIONS), one.keyed
        for turn in one.rounds:
            self._strike(turn)
        last = self.consumer()
        assert self.workers.wait(last, 90) == 0, self.workers.words()[-3_000:]

    def consumer(self, fault: list[Any] | None = None, until_caught_up: bool = True) -> int:
        """The process id of a new one."""
        self._started += 1
        return self.workers.start(
            {
                "name": f"consumer {self._started}",
                "topic": self.topic,
                "kafka": self.kafka.servers,
                "database": self.database_url,
                "store": self.store.url,
                "fault": fault,
                "keyed": self.keyed,
                "until_caught_up": until_caught_up,
            }
        )

    def send(self, turn: Round) -> None:
        for partition, events in turn.sent.items():
            self.kafka.send(self.topic, map(message, events), partition)

    def _strike(self, turn: Round) -> None:
        match turn.kind:
            case "die":
                self.send(turn)
                self._ended(self.consumer(["die at", turn.point, turn.nth]))
            case "die next to another":
                other = self.consumer(until_caught_up=False)
                dying = self.consumer(["die at", turn.point, turn.nth], until_caught_up=False)
                self.send(turn)
                self._ended(dying)
                self._ended(other)
            case "stand still":
                self.send(turn)
                still = self.consumer(["stop at", turn.point, turn.nth], until_caught_up=False)
                with suppress(TimeoutError):
                    self.workers.next_stopped([still], _STRIKES_SECONDS)
                other = self.consumer()
                self.workers.wait(other, 60)
                self.workers.let_on(still)
                time.sleep(0.5)
                self._ended(still)
            case "stop in order":
                first, second = (self.consumer(until_caught_up=False) for _ in range(2))
                self.send(turn)
                time.sleep(2)
                self._end(first)
                self._ended(second)
            case "kill the broker":
                reading = self.consumer(until_caught_up=False)
                self.send(turn)
                self.kafka.kill()
                time.sleep(0.3)
                self.kafka.start()
                self._ended(reading)
            case "end sessions":
                reading = self.consumer(until_caught_up=False)
                self.send(turn)
                for _ in range(4):
                    time.sleep(0.4)
                    with psycopg.connect(self.database_url, autocommit=True) as connection:
                        connection.execute(_END_SESSIONS)
                self._ended(reading)
            case "kill postgres":
                reading = self.consumer(until_caught_up=False)
                self.send(turn)
                time.sleep(1)
                self.kill_postgres()
                self._ended(reading)

    def _ended(self, pid: int) -> None:
        """Wait for a while until it has ended, then kill it."""
        deadline = time.monotonic() + _STRIKES_SECONDS / 2
        while time.monotonic() < deadline and not self.workers.has_ended(pid):
            time.sleep(0.05)
        self.workers.kill(pid)

    def _end(self, pid: int) -> None:
        """By SIGTERM; it ends in order."""
        os.kill(pid, signal.SIGTERM)
        assert self.workers.wait(pid, 30) == 0, self.workers.words()[-3_000:]

    def rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query.encode()).fetchall()

    def windows(self) -> list[dict[str, Any]]:
        columns = "shop, window_start, window_end, sales, cents, least, most, notes"
        return self.rows(f"SELECT {columns} FROM windows.sales_by_minute ORDER BY window_start, shop")

    def landed(self) -> list[tuple[int, int]]:
        """Partition and offset of each event in any drop."""
        frames = [pl.read_parquet(BytesIO(self.store.read(one.key))) for one in self.store.list("landing/sales/")]
        return sorted(pair for frame in frames for pair in frame.select("_partition", "_offset").iter_rows())
