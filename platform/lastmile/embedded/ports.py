"""Where the platform answers on this machine: the ports of the web UI, the API, the watcher and the Kafka broker, as
given or found free."""

from collections.abc import Container
from dataclasses import dataclass

from lastmile.embedded.postgres import port_is_free
from lastmile.errors import UserError

UI_PORT = 3000
API_PORT = 3100
WATCH_PORT = 3200


@dataclass(frozen=True)
class Ports:
    """The ports of one platform that is up."""

    ui: int
    api: int
    watch: int
    kafka: int | None = None


def choose(given: int | None, default: int, option: str, used: Container[int] = ()) -> int:
    """The port given, or the first free one from `default` on.

    Raises UserError, naming the `option`, where the one given is in use or is among those `used`.
    """
    if given is None:
        return next(port for port in range(default, 65536) if port not in used and port_is_free(port))
    if given in used or not port_is_free(given):
        raise UserError(f"port {given} is in use; choose another with {option}, or leave it out to get a free one")
    return given
