"""One life of the platform: database, migrations and Dagster come up together and go down together."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lastmile.embedded import kafka
from lastmile.embedded.database_ready import make_ready
from lastmile.embedded.dbt_ahead import parsed_ahead
from lastmile.embedded.fork_server import fork_server
from lastmile.embedded.home_lock import exclusive
from lastmile.embedded.ports import Ports
from lastmile.embedded.processes import stop_recorded
from lastmile.embedded.services import Service, environment, prepare_dagster_home, services
from lastmile.embedded.supervisor import Database, Say, Supervisor
from lastmile.embedded.unfinished import expect_whole
from lastmile.errors import UserError
from lastmile.operations.health.endpoints import note
from lastmile.orchestration.activity import Activity, activity
from lastmile.orchestration.runs.changes import Standing, standing
from lastmile.orchestration.runs.connection_pool import keep_connections
from lastmile.project import Project
from lastmile.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance
    from psycopg import Connection

    from lastmile.store import Store

#: A database that does not answer for so long is not coming back by itself.
PATIENCE_SECONDS = 120.0
_RETRY_SECONDS = 1.0
#: What was started again needs a while to come up; what fails meanwhile fails because of that.
_SETTLING_SECONDS = 30.0
#: The file whose time tells other processes when that was.
_DISTURBED = "disturbed"


@dataclass
class Session:
    """The running platform. `started_at` is in seconds since the epoch; runs before it are not this session's.

    `keep_up` starts again whatever has died, and returns when that last was so (seconds since the epoch).
    """

    settings: Settings
    store: "Store"
    database_url: str
    keep_up: Callable[[], float] = lambda: 0.0
    started_at: float = field(default_factory=time.time)
    _connection: "Connection | None" = None

    @cached_property
    def instance(self) -> "DagsterInstance":
        """Dagster's, made when it is first needed: with Dagster 60 MB and 1.5 CPU-s."""
        return _instance()

    def start_counting(self) -> None:
        """From here on, runs are counted as new."""
        self.started_at = time.time()

    def standing(self) -> Standing | None:
        """Whether anything is under way, by one cheap query; None where the database does not answer.

        Raises UserError where a process of the platform keeps dying.
        """
        import psycopg

        from lastmile.warehouse.connections import connect

        self.keep_up()
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self.database_url)
            return standing(self._connection)
        except (UserError, psycopg.Error):
            return None

    def state(self) -> tuple[Activity, dict[str, Any]]:
        """What is under way, and the state of the data; a database that is down is waited for.

        Raises UserError where a process of the platform keeps dying, or the database stays away.
        """
        from psycopg import OperationalError
        from sqlalchemy.exc import DBAPIError

        from lastmile.orchestration.dagster_compat.storage import DagsterPostgresException

        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            disturbed_at = self.keep_up()
            try:
                return self._state(disturbed_at)
            except (UserError, OperationalError, DBAPIError, DagsterPostgresException) as error:
                if time.monotonic() > patience:
                    reason = str(error.__cause__ or error).splitlines()[0]
                    raise UserError(f"the database has not answered for {PATIENCE_SECONDS:.0f} s: {reason}") from error
            time.sleep(_RETRY_SECONDS)

    def _state(self, disturbed_at: float) -> tuple[Activity, dict[str, Any]]:
        from lastmile.operations.status import summary
        from lastmile.warehouse.connections import connect

        with connect(self.database_url) as connection:  # first, since Dagster's own attempts fill the screen
            now = activity(self.instance, self.started_at, disturbed_at + _SETTLING_SECONDS)
            return now, summary(connection, self.store.url)


@contextmanager
def session(
    settings: Settings,
    ports: Ports | None,
    before_start: Any = lambda settings, store: None,
    say: Say = print,
    streams: Sequence[str] = (),
) -> Iterator[Session]:
    """Bring the platform up, and down at the end however it ends.

    `before_start(settings, store)` runs while the platform comes up, and before anything looks for drops; `say` gets a
    line for everything that had to be started again. The `streams` are read.
    """
    from lastmile.embedded.database import database
    from lastmile.store import open_store

    left_over, began = settings.home / "processes.json", time.time()
    with exclusive(settings), _stoppable():
        expect_whole(settings.home)
        stop_recorded(left_over)
        store = open_store(settings)
        with fork_server(settings) as forks, parsed_ahead(settings), database(settings) as url:
            kafka.note(settings, ports.kafka if ports else None)
            variables = {**environment(settings, url), **forks}
            os.environ.update(variables)
            server = Database(settings, url, say)
            supervisor = Supervisor(settings.home / "logs", variables, left_over, say)

            def keep_up() -> float:
                before = max(server.disturbed_at, supervisor.disturbed_at)
                server.revive()
                supervisor.revive()
                if (now := max(server.disturbed_at, supervisor.disturbed_at)) > before:
                    (settings.home / _DISTURBED).touch()
                return now

            try:
                prepare_dagster_home(settings)
                started = services(settings, ports, streams)
                _start(settings, started, supervisor, url, variables, lambda: before_start(settings, store))
                yield Session(settings, store, url, keep_up, began)
            finally:
                supervisor.stop()
                kafka.note(settings, None)


def _start(
    settings: Settings,
    started: Sequence[Service],
    supervisor: Supervisor,
    url: str,
    variables: Mapping[str, str],
    before_daemon: Callable[[], None],
) -> None:
    """Start everything at once that need not wait for something else. The code server takes the longest by far."""
    from lastmile.warehouse.dbt.engine_macros import link_macros
    from lastmile.warehouse.dbt.profile import write_profile

    write_profile(url)
    link_macros(Project.current().dbt_project)
    code_server, daemon, *pages = started
    note(settings.home, {service.name: service.port for service in started if service.port})
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(before_daemon)
        make_ready(url, variables)  # the first that needs Dagster's schema makes tables in it
        supervisor.start([code_server])
        supervisor.start(pages)
        ready.result()
    supervisor.start([daemon])
    supervisor.wait_until_up()


@contextmanager
def join(settings: Settings) -> Iterator[Session]:
    """Look at the platform that another process has up in this home; its processes stay that process's own."""
    from lastmile.embedded.database import running_url
    from lastmile.store import open_store

    url = running_url(settings)
    os.environ.update(environment(settings, url))
    yield Session(settings, open_store(settings), url, lambda: disturbed_at(settings))


def disturbed_at(settings: Settings) -> float:
    """When something of this home's platform was last found dead, in seconds since the epoch; 0 where nothing was."""
    file = settings.home / _DISTURBED
    return file.stat().st_mtime if file.exists() else 0.0


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

    instance = DagsterInstance.get()
    keep_connections(instance)
    return instance
