"""What comes to the platform as events: from Kafka to windows and drops, exactly once.

What a declaration needs is imported from here, when it is first used; the rest of the room is the engine's.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.streaming.declarations.alerts import StreamAlerts
    from lastmile.streaming.declarations.connectors import LogFiles, Mqtt
    from lastmile.streaming.declarations.joins import AsOf, Within
    from lastmile.streaming.declarations.stream import Stream
    from lastmile.streaming.declarations.windows import Hopping, Session, Tumbling

__all__ = ["AsOf", "Hopping", "LogFiles", "Mqtt", "Session", "Stream", "StreamAlerts", "Tumbling", "Within"]

_MODULES = {
    "declarations.alerts": ("StreamAlerts",),
    "declarations.connectors": ("LogFiles", "Mqtt"),
    "declarations.joins": ("AsOf", "Within"),
    "declarations.stream": ("Stream",),
    "declarations.windows": ("Hopping", "Session", "Tumbling"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
