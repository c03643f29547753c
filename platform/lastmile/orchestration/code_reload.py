"""Reloading the code of a platform that is up, from another process.

The code server imports it anew; the web UI and the daemon watch that server and follow within a second.
"""

import yaml

from lastmile.settings import Settings


def reload_code(settings: Settings, seconds: int) -> str | None:
    """Have the code server start anew; its errors where the code does not load, or None where it does."""
    from lastmile.orchestration.dagster_compat import code_server

    return code_server.reload_code(*_address(settings), seconds)


def load_error(settings: Settings) -> str | None:
    """Why the code of a platform that is up does not load; None where it does."""
    from lastmile.orchestration.dagster_compat import code_server

    return code_server.load_error(*_address(settings))


def _address(settings: Settings) -> tuple[str, int]:
    (server,) = yaml.safe_load((settings.dagster_home / "workspace.yaml").read_text())["load_from"]
    return server["grpc_server"]["host"], server["grpc_server"]["port"]
