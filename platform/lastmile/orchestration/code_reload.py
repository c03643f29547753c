"""The code server of a platform, seen from another process: waiting until it is up, reloading its code.

To reload, it imports the code anew; the web UI and the daemon watch it and follow within seconds.
"""

import socket
import time
from pathlib import Path

import yaml

from lastmile.settings import Settings


def reload_code(settings: Settings, seconds: int) -> str | None:
    """Have the code server start anew; its errors where the code does not load, or None where it does."""
    from lastmile.orchestration.dagster_compat import code_server

    return code_server.reload_code(*_address(_workspace(settings)), seconds)


def load_error(settings: Settings) -> str | None:
    """Why the code of a platform that is up does not load; None where it does."""
    from lastmile.orchestration.dagster_compat import code_server

    return code_server.load_error(*_address(_workspace(settings)))


def await_code_server(workspace: Path, seconds: float = 120.0) -> None:
    """Return once the code server that the file names answers, which it does when it has tried to load the code."""
    address, deadline = _address(workspace), time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(address) == 0:
                return
        time.sleep(0.1)


def _workspace(settings: Settings) -> Path:
    return settings.dagster_home / "workspace.yaml"


def _address(workspace: Path) -> tuple[str, int]:
    (server,) = yaml.safe_load(workspace.read_text())["load_from"]
    return server["grpc_server"]["host"], server["grpc_server"]["port"]
