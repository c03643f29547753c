"""Logs: each process writes JSON lines into `<home>/logs/<process>.jsonl`, with the ids of the work they are about.

A line has `time` (UTC), `level`, `process`, `pid`, `logger`, `message`; `trace` and `span` where the work is part of a
trace; `error` with its traceback; and the ids at hand, such as `run`, `drop`, `dataset`.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lastmile.settings.telemetry import TelemetrySettings
from lastmile.telemetry.log_files import SharedFile
from lastmile.telemetry.spans import ids, place

#: Libraries that say at this level what concerns nobody but their authors.
_QUIET = ("httpx", "httpcore", "urllib3", "botocore", "boto3", "opentelemetry", "asyncio", "watchfiles", "alembic")
#: Dagster's and uvicorn's own, which do not hand their lines on to the root.
_APART = ("dagster", "dagster.daemon", "uvicorn", "uvicorn.error", "uvicorn.access")


class JsonLines(logging.Formatter):
    """A line of JSON."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        dagster = _of_dagster(record)
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": dagster.get("orig_message") or record.getMessage(),
        }
        if here := place():
            line |= {"trace": here.trace, "span": here.span}
        line |= ids()
        if run := dagster.get("run_id"):
            line.setdefault("run", run)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Text(logging.Formatter):
    """A line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s")

    def format(self, record: logging.LogRecord) -> str:
        known = " ".join(f"{name}={value}" for name, value in ids().items())
        record.about = f" [{known}]" if known else ""
        return super().format(record)


def configure(process: str, folder: Path | None, settings: TelemetrySettings) -> None:
    """The process's loggers: JSON into the folder, and lines as the settings say to standard error."""
    level = settings.log_level.upper()
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(JsonLines(process) if settings.log_format == "json" else Text())
    handlers: list[logging.Handler] = [screen]
    if folder is not None:
        file = SharedFile(folder / f"{process}.jsonl")
        file.setFormatter(JsonLines(process))
        handlers.append(file)
    for handler in handlers:
        handler.setLevel(level)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def adopt(*names: str) -> None:
    """Loggers that were set up by their own libraries hand their lines on to ours instead."""
    for name in names or _APART:
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


def _of_dagster(record: logging.LogRecord) -> Mapping[str, Any]:
    """What Dagster knows of a line of a run: its text without the run's name before it, and the run."""
    meta = getattr(record, "dagster_meta", None)
    return meta if isinstance(meta, dict) else {}
