"""What comes to the platform as events: from Kafka to windows and drops, exactly once.

What a declaration needs is imported from here, when it is first used; the rest of the room is the engine's.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.streaming.declarations.connectors import LogFiles, Mqtt
    from lastmile.streaming.declarations.stream import Stream
    from lastmile.streaming.declarations.windows import Hopping, Session, Tumbling

__all__ = ["Hopping", "LogFiles", "Mqtt", "Session", "Stream", "Tumbling"]

_MODULES = {
    "declarations.connectors": ("LogFiles", "Mqtt"),
    "declarations.stream": ("Stream",),
    "declarations.windows": ("Hopping", "Session", "Tumbling"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
