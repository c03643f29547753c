"""What each process of an installation begins with: its logs, its counts, and its traces where they are to be sent.

Nothing of it may be inherited by a fork: threads send the traces. So a process begins it itself, after its fork.
"""

import atexit
import logging
from threading import Thread
from typing import TYPE_CHECKING

from lastmile.settings.group import load
from lastmile.settings.installation import Settings
from lastmile.settings.telemetry import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

#: What is left to be sent when a process ends is waited for so long.
_LAST_SECONDS = 5.0
#: Processes that Prometheus asks themselves.
_SCRAPED = ("api", "watcher")

log = logging.getLogger(__name__)


class _Begun:
    process: str | None = None
    provider: "TracerProvider | None" = None


def start(process: str) -> None:
    """Log, count and trace as this process: `api`, `daemon`, `worker`. Only the first call of a process matters."""
    if _Begun.process is not None:
        return
    from lastmile.telemetry import logs, metrics_files

    _Begun.process = process
    settings = load(TelemetrySettings)
    logs.configure(process, Settings.from_environment().home / "logs", settings)
    if process not in _SCRAPED:
        metrics_files.start(process)
    if settings.url is None:
        return
    from lastmile.telemetry.spans import listen
    from lastmile.telemetry.traces import Traces, provider

    _Begun.provider = provider(process, settings)
    listen(Traces(_Begun.provider.get_tracer("lastmile")))
    atexit.register(end)


def end() -> None:
    """Send what is left, as far as that is quickly done. For a process that ends without its exit handlers."""
    if found := _Begun.provider:
        _Begun.provider = None
        last = Thread(target=found.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(_LAST_SECONDS)
