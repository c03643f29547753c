"""A code server, spoken to directly."""

from dagster._core.errors import DagsterUserCodeProcessError
from dagster._grpc.client import DagsterGrpcClient


def reload_code(host: str, port: int, seconds: int) -> str | None:
    """Let it import the code anew, within so many seconds; its errors where that fails, else None."""
    client = DagsterGrpcClient(port=port, host=host)
    client.reload_code(timeout=seconds)
    try:
        client.list_repositories()
    except DagsterUserCodeProcessError as error:
        return "\n".join(info.message.strip() for info in error.user_code_process_error_infos)
    return None
