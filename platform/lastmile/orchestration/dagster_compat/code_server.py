"""A code server, spoken to directly."""

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import ListRepositoriesResponse
from dagster._serdes import deserialize_value
from dagster_shared.error import SerializableErrorInfo


def reload_code(host: str, port: int, seconds: int) -> str | None:
    """Let it import the code anew, within so many seconds; its error where that fails, else None."""
    DagsterGrpcClient(port=port, host=host).reload_code(timeout=seconds)
    return load_error(host, port)


def load_error(host: str, port: int) -> str | None:
    """Why the code that it was last to load does not load, with the line; None where it does.

    The server answers with the error instead of the list of repositories: it raises nothing.
    """
    try:
        answer = DagsterGrpcClient(port=port, host=host).list_repositories()
    except DagsterUserCodeUnreachableError:  # it is being started again, by its supervisor
        return None
    found = deserialize_value(answer, (ListRepositoriesResponse, SerializableErrorInfo))
    return _said(found) if isinstance(found, SerializableErrorInfo) else None


def _said(error: SerializableErrorInfo) -> str:
    """The first cause, and the innermost line of the code that raised it, as Python prints both."""
    while error.cause:
        error = error.cause
    frames = [frame.strip() for frame in error.stack if "importlib" not in frame]
    place = f"{frames[-1]}\n" if frames else ""
    return f"{place}{error.message.strip()}"
