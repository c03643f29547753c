"""Reloading the code of a platform that is up, from another process.

The code server is told; the web UI and the daemon watch it and follow within a second.
"""

import yaml

from lastmile.settings import Settings


def reload_code(settings: Settings, seconds: int) -> str | None:
    """Let the code server start anew; what it says where the code does not load, or None where it does."""
    from dagster._core.errors import DagsterUserCodeProcessError
    from dagster._grpc.client import DagsterGrpcClient

    (server,) = yaml.safe_load((settings.dagster_home / "workspace.yaml").read_text())["load_from"]
    client = DagsterGrpcClient(port=server["grpc_server"]["port"], host=server["grpc_server"]["host"])
    client.reload_code(timeout=seconds)
    try:
        client.list_repositories()
    except DagsterUserCodeProcessError as error:
        return "\n".join(told.message.strip() for told in error.user_code_process_error_infos)
    return None
