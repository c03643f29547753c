"""Starting Dagster for one home: what each process is told, and in what order they come up."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lastmile.running.processes import Process, free_port, remember, start, wait_until_listening
from lastmile.settings import PROJECT, Settings
from lastmile.warehouse.connecting import dagster_url, libpq_environment

LOCATION = "lastmile"
_MODULE = "assets.definitions"


def environment(settings: Settings, database_url: str) -> dict[str, str]:
    """The variables every process of this installation runs with, on top of the caller's own."""
    return {
        **os.environ,
        **libpq_environment(database_url),
        "LASTMILE_HOME": str(settings.home),
        "LASTMILE_DATABASE_URL": database_url,
        "LASTMILE_STORE_URL": settings.store_url,
        "LASTMILE_CONTRACTS": settings.contracts,
        "LASTMILE_DAGSTER_URL": dagster_url(database_url),
        "LASTMILE_DAGSTER_STORAGE": str(settings.dagster_home / "storage"),
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_DAEMON_HEARTBEAT_TOLERANCE": "120",
        "PYTHONUNBUFFERED": "1",
        # glibc keeps a heap per thread otherwise, and every process here has a dozen that hardly allocate.
        "MALLOC_ARENA_MAX": "2",
    }


def prepare_dagster_home(settings: Settings) -> None:
    """Put the project's dagster.yaml into DAGSTER_HOME."""
    (settings.dagster_home / "storage").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "dagster.yaml", settings.dagster_home / "dagster.yaml")


def start_all(settings: Settings, variables: Mapping[str, str], ui_port: int | None, started: list[Process]) -> None:
    """Start code server, daemon and, with a `ui_port`, the webserver; each is added to `started` as soon as it runs.

    The webserver's reload button re-reads the code only through the reloadable kind of code server, which costs a
    second process; without the UI the plain kind does.
    """
    logs, port = settings.home / "logs", free_port()
    workspace = _workspace(settings.dagster_home, port)
    address = ["--host", "127.0.0.1", "--port", str(port), "--module-name", _MODULE, "--location-name", LOCATION]
    command = ["api", "grpc"] if ui_port is None else ["code-server", "start"]

    def launch(name: str, module: str, *arguments: str) -> Process:
        started.append(start(name, module, arguments, variables, logs))
        remember(started, settings.home / "processes.json")
        return started[-1]

    wait_until_listening(launch("code-server", "dagster", *command, *address), port, logs)
    launch("daemon", "lastmile.running.daemon", "run", "--workspace", str(workspace))
    if ui_port is not None:
        page = ["--host", "127.0.0.1", "--port", str(ui_port), "--workspace", str(workspace)]
        wait_until_listening(launch("webserver", "dagster_webserver", *page), ui_port, logs)


def _workspace(folder: Path, port: int) -> Path:
    file = folder / "workspace.yaml"
    server = f"{{host: 127.0.0.1, port: {port}, location_name: {LOCATION}}}"
    file.write_text(f"load_from:\n  - grpc_server: {server}\n")
    return file
