"""A code server, spoken to directly, and without Dagster: to import it costs a command more than the server's answer.

Messages are those of Dagster's protocol: of one field, a text, which is JSON.
"""

import json
from typing import Any

import grpc  # type: ignore[import-untyped]  # Dagster brings it, without types

from lastmile.errors import UserError

_RELOAD, _REPOSITORIES = "/api.DagsterApi/ReloadCode", "/api.DagsterApi/ListRepositories"
_SECONDS = 60.0


def reload_code(host: str, port: int, seconds: float) -> str | None:
    """Let it import the code anew, within so many seconds; its error where that fails, else None.

    Raises UserError where it does not answer in time.
    """
    try:
        _answer(host, port, _RELOAD, seconds)
    except grpc.RpcError as error:
        raise UserError(f"the code server has not reloaded the code: {error.details()}") from None
    return load_error(host, port)


def load_error(host: str, port: int) -> str | None:
    """Why the code that it was last to load does not load, with the line; None where it does.

    The server answers with the error instead of the list of repositories: it raises nothing.
    """
    try:
        found = json.loads(_text(_answer(host, port, _REPOSITORIES, _SECONDS)))
    except grpc.RpcError:  # it is being started again, by its supervisor
        return None
    return _said(found) if found["__class__"] == "SerializableErrorInfo" else None


def _answer(host: str, port: int, method: str, seconds: float) -> bytes:
    with grpc.insecure_channel(f"{host}:{port}", options=[("grpc.max_receive_message_length", -1)]) as channel:
        answer: bytes = channel.unary_unary(method)(b"", timeout=seconds)
        return answer


def _text(message: bytes) -> str:
    """The first field of a protocol buffer: a tag of one byte, the length in groups of seven bits, the text."""
    length, place, shift = 0, 1, 0
    while True:
        byte = message[place]
        length |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return message[place : place + length].decode()


def _said(error: dict[str, Any]) -> str:
    """The first cause, and the innermost line of the code that raised it, as Python prints both."""
    while error["cause"]:
        error = error["cause"]
    frames = [frame.strip() for frame in error["stack"] if "importlib" not in frame]
    place = f"{frames[-1]}\n" if frames else ""
    return f"{place}{error['message'].strip()}"
