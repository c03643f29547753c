"""What a scrape is made of: functions that read something from Postgres, each at its own interval.

A part whose tables are not there, such as those of a Dagster that is kept elsewhere, gives nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Metric
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, UndefinedColumn, UndefinedTable

from lastmile.ingestion.submissions import gathering
from lastmile.learning.monitoring import found
from lastmile.learning.registry import summary
from lastmile.operations import status
from lastmile.operations.metrics import checks, database, datasets, models, safety, streams, ticks
from lastmile.operations.metrics.runs import Runs

#: How often what costs more than a few milliseconds is read.
_SLOWLY = 60.0
#: What takes longer is read less often, in proportion: however large an installation is, reading is a small part of its
#: database's work.
_QUICK = 0.1
_ABSENT = (InsufficientPrivilege, InvalidSchemaName, UndefinedColumn, UndefinedTable)

Reading = Callable[[Connection], Iterable[Metric]]


@dataclass
class Part:
    """`seconds` is how long what was read is shown; `took` how long that needed; `failed` how often it did not work."""

    name: str
    reading: Reading
    seconds: float
    took: float = 0.0
    failed: int = 0
    found: list[Metric] = field(default_factory=list)
    read_at: float | None = None

    def read(self, connection: Connection) -> None:
        """Read it anew where that is due. Raises psycopg.Error."""
        shown = self.seconds * max(1.0, self.took / _QUICK)
        if self.read_at is not None and time.monotonic() - self.read_at < shown:
            return
        began = time.perf_counter()
        try:
            self.found = list(self.reading(connection))
        except _ABSENT:
            self.found = []
        except Exception:
            self.found, self.failed = [], self.failed + 1
            raise
        finally:
            self.took = time.perf_counter() - began
        self.read_at = time.monotonic()


def parts(store: str, registry: CollectorRegistry, seconds: float) -> list[Part]:
    """Those of an installation; counters of what has ended are on the registry."""
    runs, ended = Runs(registry), ticks.Ticks(registry)
    return [
        Part("datasets", lambda connection: _datasets(connection, store), seconds),
        Part("models", _models, seconds),
        Part("runs", runs.look, seconds),
        Part("ticks", ended.look, seconds),
        Part("daemons", ticks.daemons, seconds),
        Part("activity", database.activity, seconds),
        Part("streams", streams.streams, seconds),
        Part("alerts", safety.alerts, seconds),
        Part("backups", safety.backups, seconds),
        Part("assets", ticks.assets, max(seconds, _SLOWLY / 4)),
        Part("checks", checks.checks, max(seconds, _SLOWLY / 4)),
        Part("predictions", _predictions, max(seconds, _SLOWLY / 4)),
        Part("sizes", database.sizes, max(seconds, _SLOWLY)),
    ]


def _datasets(connection: Connection, store: str) -> Iterator[Metric]:
    yield from datasets.datasets(status.datasets(connection, store))
    yield from datasets.records_waiting(gathering.waiting(connection))


def _models(connection: Connection) -> Iterator[Metric]:
    yield from models.monitored(found.newest(connection))
    yield from models.in_use(summary.scores_in_use(connection))


def _predictions(connection: Connection) -> Iterator[Metric]:
    yield from models.predicted(summary.predictions_by_level(connection))
