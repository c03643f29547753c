"""How often Dagster looks where no setting says it."""

import logging

from dagster._grpc import server_watcher

#: Between two looks whether a code server has loaded its code anew, each of which costs both sides 2 ms of CPU.
WATCH_SECONDS = 3

log = logging.getLogger(__name__)


def watch_code_servers_less_often() -> None:
    """In this process, where they are looked at once a second otherwise."""
    set_constant(server_watcher, "WATCH_INTERVAL", WATCH_SECONDS)


def set_constant(module: object, constant: str, value: int) -> None:
    """Where a later version of Dagster has renamed it, only the pace is lost."""
    if hasattr(module, constant):
        setattr(module, constant, value)
    else:
        log.warning("Dagster has no %s any more: it keeps its own pace", constant)
