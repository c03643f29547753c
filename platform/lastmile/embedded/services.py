"""Dagster's processes for one home: their arguments and environment, and in what order they come up."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lastmile.embedded import kafka
from lastmile.embedded.database import given_url
from lastmile.embedded.ports import Ports
from lastmile.embedded.processes import free_port
from lastmile.orchestration.instance import write_dagster_yaml
from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.settings.group import load
from lastmile.warehouse.connections import dagster_url, libpq_environment

LOCATION = "lastmile"
#: Added to dagster.yaml for tools next to the platform.
CLIENT = """
instance_class:
  module: lastmile.orchestration.dagster_compat.client_instance
  class: ClientInstance
"""
#: glibc keeps a heap per thread otherwise, and every process here has a dozen that hardly allocate. polars' allocator
#: keeps what was freed for ten seconds otherwise, a tenth of the memory of a large drop. To give all of it back at once
#: would cost a seventh of the CPU, since every page comes back empty. For the same reason glibc keeps up to 16 MiB, and
#: requests pieces below that only where it has none: a twentieth of a large drop's CPU.
ALLOCATORS = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20),
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:300,muzzy_decay_ms:300",
}


def environment(settings: Settings, database_url: str) -> dict[str, str]:
    """The variables every process of this installation runs with, on top of the caller's own."""
    return {**before_database(settings), **surroundings(settings, database_url)}


def before_database(settings: Settings) -> dict[str, str]:
    """The same without the database's: some libraries read variables when they are imported, which is before it is."""
    return {
        **os.environ,
        "LASTMILE_HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_DAEMON_HEARTBEAT_TOLERANCE": "120",
        "PYTHONUNBUFFERED": "1",
        # Else an update that is stored while conditions are evaluated counts twice, and is followed twice.
        "DAGSTER_AUTOMATION_TICK_SETTLE_SECONDS": "0.2",
        # The materializations of the partitions of a range are one statement, not one each.
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        **ALLOCATORS,
    }


def surroundings(settings: Settings, database_url: str) -> dict[str, str]:
    """The variables that name this installation's home, database, objects and assets."""
    return {
        "LASTMILE_PROJECT": str(Project.current().folder),
        "LASTMILE_HOME": str(settings.home),
        "LASTMILE_DATABASE_URL": database_url,
        "LASTMILE_STORE_URL": settings.store_url,
        "LASTMILE_ASSETS": settings.assets,
        "LASTMILE_DAGSTER_URL": dagster_url(database_url),
        **libpq_environment(database_url),
        **kafka.variables(settings),
    }


def client_environment(settings: Settings, database_url: str) -> dict[str, str]:
    """The same for a tool next to the platform; a daemon in its DAGSTER_HOME leaves the work to the platform's."""
    project = Project.current().dbt_project
    return {
        **surroundings(settings, database_url),
        "DAGSTER_HOME": str(_client_home(settings)),
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": os.environ.get("DBT_PROFILES_DIR") or str(project),
    }


def prepare_dagster_home(settings: Settings) -> None:
    """Put the dagster.yaml of this installation's profile into DAGSTER_HOME, and into that of tools next to it."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    write_dagster_yaml(settings.profile, settings.dagster_home)
    prepare_client_home(settings)


def prepare_client_home(settings: Settings) -> None:
    """The same dagster.yaml and folder of logs, of an instance whose daemon leaves the work to the platform's."""
    home = _client_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    write_dagster_yaml(settings.profile, home)
    with (home / "dagster.yaml").open("a") as file:
        file.write(CLIENT)
    storage = settings.dagster_home / "storage"
    storage.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (home / "storage").symlink_to(storage)


def _client_home(settings: Settings) -> Path:
    return settings.dagster_home / "client"


@dataclass(frozen=True)
class Service:
    """How to start one of the processes; it is up once its `port` answers, or at once where it has none.

    What an `outlived` one has started goes on after its death. One that `is_forked` needs the libraries of Dagster.
    Without one that is not `is_vital` the platform goes on: it is started again however often it dies.
    """

    name: str
    module: str
    arguments: Sequence[str]
    port: int | None = None
    outlived: bool = False
    is_forked: bool = False
    is_vital: bool = True


def services(settings: Settings, ports: Ports | None, streams: Sequence[str] = ()) -> list[Service]:
    """Code server, daemon, the archiver of the database's log where there are backups of the embedded one, and, with
    `ports`, the webserver, the API, the watcher, the Kafka broker where it has a port, and a
    consumer for each of the `streams`.

    Daemon and webserver wait for the code server, whose port stays the same when it is started again. The webserver's
    reload button needs a code server that can be reloaded, which costs a second process; without the UI the plain kind
    does.
    """
    port = free_port()
    workspace = str(_workspace(settings.dagster_home, port))
    code = ["--module-name", Project.current().definitions, "--location-name", LOCATION]
    found = [
        Service("code-server", "dagster", ["api", "grpc", *_address(port), *code], port, is_forked=True)
        if ports is None
        else Service("code-server", "lastmile.orchestration.code_server", [str(port), *code], port, is_forked=True),
        Service("daemon", "lastmile.orchestration.runs", [workspace], outlived=True, is_forked=True),
    ]
    if load(BackupSettings).url and not given_url(settings):
        found.append(Service("archiver", "lastmile.operations.backup.archiving", []))
    if ports is not None and ports.kafka is not None:
        broker = [str(ports.kafka), str(settings.kafka_folder)]
        found.append(Service("kafka-broker", "lastmile.embedded.broker", broker, ports.kafka, is_vital=False))
    if ports is not None:
        webserver = [workspace, *_address(ports.ui)]
        found.append(Service("webserver", "lastmile.serving.web_ui", webserver, ports.ui, is_forked=True))
        found.append(Service("api", "lastmile.serving", [str(ports.api)], ports.api))
        found.append(Service("watcher", "lastmile.operations.watching", _watched(ports, port), ports.watch))
    found += [Service(f"stream-{name}", "lastmile.streaming.consumer", [name], is_vital=False) for name in streams]
    return found


def _watched(ports: Ports, code_server: int) -> list[str]:
    here = "http://127.0.0.1"
    others = ["--api", f"{here}:{ports.api}", "--web-ui", f"{here}:{ports.ui}"]
    return [str(ports.watch), *others, "--code-server", f"127.0.0.1:{code_server}"]


def _address(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]


def _workspace(folder: Path, port: int) -> Path:
    file = folder / "workspace.yaml"
    server = f"{{host: 127.0.0.1, port: {port}, location_name: {LOCATION}}}"
    file.write_text(f"load_from:\n  - grpc_server: {server}\n")
    return file
