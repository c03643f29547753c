"""Dagster's processes for one home: what each is told, and in what order they come up."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lastmile.embedded.ports import Ports
from lastmile.embedded.processes import free_port
from lastmile.orchestration.instance import write_dagster_yaml
from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.warehouse.connections import dagster_url, libpq_environment

LOCATION = "lastmile"
#: glibc keeps a heap per thread otherwise, and every process here has a dozen that hardly allocate. polars' allocator
#: keeps what was freed for ten seconds otherwise, a tenth of the memory of a large drop. To give all of it back at once
#: would cost a seventh of the CPU, since every page comes back empty. For the same reason glibc keeps up to 16 MiB, and
#: asks for pieces below that only where it has none: a twentieth of a large drop's CPU.
ALLOCATORS = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20),
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:300,muzzy_decay_ms:300",
}


def environment(settings: Settings, database_url: str) -> dict[str, str]:
    """The variables every process of this installation runs with, on top of the caller's own."""
    return {
        **os.environ,
        **libpq_environment(database_url),
        "LASTMILE_PROJECT": str(Project.current().folder),
        "LASTMILE_HOME": str(settings.home),
        "LASTMILE_DATABASE_URL": database_url,
        "LASTMILE_STORE_URL": settings.store_url,
        "LASTMILE_ASSETS": settings.assets,
        "LASTMILE_DAGSTER_URL": dagster_url(database_url),
        "LASTMILE_DAGSTER_STORAGE": str(settings.dagster_home / "storage"),
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_DAEMON_HEARTBEAT_TOLERANCE": "120",
        "PYTHONUNBUFFERED": "1",
        **ALLOCATORS,
    }


def prepare_dagster_home(settings: Settings) -> None:
    """Put the dagster.yaml of this installation's profile into DAGSTER_HOME."""
    (settings.dagster_home / "storage").mkdir(parents=True, exist_ok=True)
    write_dagster_yaml(settings.profile, settings.dagster_home)


@dataclass(frozen=True)
class Service:
    """How to start one of the processes; it is up once its `port` answers, or at once where it has none.

    What an `outlived` one has started goes on after its death.
    """

    name: str
    module: str
    arguments: Sequence[str]
    port: int | None = None
    outlived: bool = False


def services(settings: Settings, ports: Ports | None) -> list[Service]:
    """Code server, daemon and, with `ports`, the API and the webserver, in the order in which they come up.

    Their ports stay the same when one is started again, so the others find it. The webserver's reload button re-reads
    the code only through the reloadable kind of code server, which costs a second process; without the UI the plain
    kind does.
    """
    port = free_port()
    workspace = str(_workspace(settings.dagster_home, port))
    command = ["api", "grpc"] if ports is None else ["code-server", "start"]
    code = [*command, *_address(port), "--module-name", Project.current().definitions, "--location-name", LOCATION]
    found = [
        Service("code-server", "dagster", code, port),
        Service("daemon", "lastmile.orchestration.daemon", [workspace], outlived=True),
    ]
    if ports is not None:
        found.append(Service("api", "lastmile.serving", [str(ports.api)], ports.api))
        found.append(
            Service("webserver", "dagster_webserver", [*_address(ports.ui), "--workspace", workspace], ports.ui)
        )
    return found


def _address(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]


def _workspace(folder: Path, port: int) -> Path:
    file = folder / "workspace.yaml"
    server = f"{{host: 127.0.0.1, port: {port}, location_name: {LOCATION}}}"
    file.write_text(f"load_from:\n  - grpc_server: {server}\n")
    return file
