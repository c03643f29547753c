"""One life of the platform: database, migrations and Dagster come up together and go down together."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lastmile.errors import UserError
from lastmile.running.home import only_one
from lastmile.running.processes import Process, stop, stop_remembered
from lastmile.running.services import environment, prepare_dagster_home, start_all
from lastmile.running.watching import Sight, look
from lastmile.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from lastmile.store import Store


@dataclass
class Session:
    """The running platform. `started_at` is in seconds since the epoch; runs before it are not this session's."""

    settings: Settings
    store: "Store"
    database_url: str
    instance: "DagsterInstance"
    processes: list[Process]
    started_at: float = field(default_factory=time.time)

    def start_counting(self) -> None:
        """From here on, runs are counted as new."""
        self.started_at = time.time()

    def look(self) -> tuple[Sight, dict[str, Any]]:
        """What is under way, and the state of the data. Raises UserError where a process of the platform has died."""
        from lastmile.intake.state import summary
        from lastmile.warehouse.connecting import connect

        dead = [process.name for process in self.processes if not process.is_alive()]
        if dead:
            raise UserError(
                f"the {dead[0]} has ended; its last words are in {self.settings.home / 'logs' / dead[0]}.log"
            )
        sight = look(self.instance, self.started_at)
        with connect(self.database_url) as connection:
            return sight, summary(connection, self.store.url)


@contextmanager
def session(
    settings: Settings, ui_port: int | None, before_start: Any = lambda settings, store: None
) -> Iterator[Session]:
    """Bring the platform up, and down at the end however it ends. `before_start(settings, store)` runs once the
    database is migrated and before Dagster starts."""
    from lastmile.store import open_store
    from lastmile.warehouse.connecting import database
    from lastmile.warehouse.migrating import migrate

    left_over = settings.home / "processes.json"
    with only_one(settings), _stoppable():
        stop_remembered(left_over)
        store = open_store(settings)
        with database(settings) as url:
            migrate(url)
            before_start(settings, store)
            prepare_dagster_home(settings)
            variables = environment(settings, url)
            os.environ.update(variables)
            instance = _instance()
            _end_lost_runs(instance)
            processes: list[Process] = []
            try:
                start_all(settings, variables, ui_port, processes)
                yield Session(settings, store, url, instance, processes)
            finally:
                stop(processes)
                left_over.unlink(missing_ok=True)


@contextmanager
def join(settings: Settings) -> Iterator[Session]:
    """Look at the platform that another process has up in this home; its processes stay that process's own."""
    from lastmile.store import open_store
    from lastmile.warehouse.connecting import database_url

    url = database_url(settings)
    os.environ.update(environment(settings, url))
    yield Session(settings, open_store(settings), url, _instance(), [])


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end us as Ctrl-C does, and Ctrl-C too where a shell started us in the background, deaf to it."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _instance() -> "DagsterInstance":
    from dagster import DagsterInstance

    return DagsterInstance.get()


def _end_lost_runs(instance: "DagsterInstance") -> None:
    """We hold the home, so a run that claims to be working has lost its worker: end it and free what it held."""
    from dagster import DagsterRunStatus, RunsFilter

    working = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    for run in instance.get_runs(RunsFilter(statuses=working)):
        instance.report_run_failed(run, "its worker was gone when the platform came up again")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
