"""The process that the platform's processes with Dagster are forked from, and that workers' fork server is, too."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lastmile.embedded.services import before_database
from lastmile.orchestration.forks.owner import CAN_FORK, ForkServer
from lastmile.settings import Settings


@contextmanager
def fork_server(settings: Settings) -> Iterator[Mapping[str, str]]:
    """Start it; the variables by which it is found, none where processes cannot be forked. It is ended at the end.

    Where it died meanwhile, what is started again is a new interpreter.
    """
    if not CAN_FORK:
        yield {}
        return
    log = settings.home / "logs" / "fork-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    server = ForkServer("lastmile.orchestration.forks.libraries", before_database(settings), log, is_apart=True)
    try:
        yield server.variables
    finally:
        server.stop()
