"""The port that the API answers on, which a process may share for a moment with the one that it replaces.

Both listen; connections go to either until the older one ends. So a restart refuses nothing.
"""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress

import psutil

from lastmile.errors import UserError

#: In the command line of every process that may be replaced.
_OURS = "lastmile"


def bound(host: str, port: int, shared: bool = False) -> socket.socket:
    """A socket that does not listen yet. Raises UserError where another process has the port, unless it is `shared`."""
    address = ((host, port),)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not shared:
            _bind(socket.socket(family), *address).close()
        found = socket.socket(family)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return _bind(found, *address)
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port") from None


def listeners(port: int) -> list[int]:
    """The other processes of the API that listen on this port."""
    return [found.pid for found in psutil.process_iter() if found.pid != os.getpid() and _listens(found, port)]


def replace(processes: list[int]) -> None:
    """Let them drain and end."""
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _bind(one: socket.socket, address: tuple[str, int]) -> socket.socket:
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return _OURS in " ".join(process.cmdline()) and port in _listening(process)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def _listening(process: psutil.Process) -> Iterator[int]:
    return (at.laddr.port for at in process.net_connections("tcp") if at.status == psutil.CONN_LISTEN)
