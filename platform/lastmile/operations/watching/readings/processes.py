"""What answers and what does not, and the disk: looked at without Postgres, so also while that is dead."""

import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lastmile.operations.alerts.rule import Reading

_SECONDS = 3.0
#: What a client of HTTP/2 says first, with empty settings; a server that lives answers with its own.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_SETTINGS, _HEADER = 4, 9


@dataclass(frozen=True)
class Addresses:
    """Where the other processes answer; None where that is not known, so not watched."""

    api: str | None = None
    web_ui: str | None = None
    code_server: str | None = None


def processes(addresses: Addresses) -> Iterator[tuple[str, Reading]]:
    """Rule and reading: 0 of what answers, 1 of what does not."""
    if addresses.api:
        yield "api_dead", _reading(lambda: _http(f"{addresses.api}/health"), addresses.api)
    if addresses.web_ui:
        yield "web_ui_dead", _reading(lambda: _http(f"{addresses.web_ui}/server_info"), addresses.web_ui)
    if code_server := addresses.code_server:
        yield "code_server_dead", _reading(lambda: _grpc(code_server), code_server)


def disk(folder: Path) -> Reading:
    """The share of its disk that is free."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(nearest)
    return Reading(usage.free / usage.total, "", f"{usage.free / 2**30:.1f} GB free for {folder}")


def _reading(probe: Callable[[], None], where: str) -> Reading:
    try:
        probe()
    except OSError as error:
        return Reading(1, "", f"{where}: {error}")
    return Reading(0, "", where)


def _http(url: str) -> None:
    """Any answer is a sign of life but that of a server in trouble."""
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS):  # noqa: S310  # an address that `up` made, or a setting
            return
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise OSError(f"it answers {error.code}") from None


def _grpc(address: str) -> None:
    """A stopped process accepts connections, by its kernel, but says nothing."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), _SECONDS) as connection:
        connection.sendall(_PREFACE)
        answered = connection.recv(_HEADER)
    if len(answered) < _HEADER or answered[3] != _SETTINGS:
        raise OSError("it accepts connections and does not answer")
