"""A log line of any process, and which lines a person wants to see."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LEVELS = ("debug", "info", "warning", "error", "critical")
#: Characters of an id that are shown: enough to tell it from others, and to look for it.
_SHORT = 8
_OWN = {"time", "level", "process", "message", "error", "pid", "logger"}


@dataclass(frozen=True)
class Line:
    """`process` is the one that wrote it, or `ledger` and `dagster` for what those recorded; `ids` say what it is
    about: run, step, drop, dataset, trace, span, request."""

    at: datetime
    level: str
    process: str
    message: str
    ids: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def read(cls, text: str) -> "Line | None":
        """None where it is no whole line: a process may have been killed while it wrote."""
        try:
            found = json.loads(text)
            at = datetime.fromisoformat(found["time"])
            ids = {name: value for name, value in found.items() if name not in _OWN}
            return cls(at, found["level"], found["process"], found["message"], ids, found.get("error"))
        except (ValueError, KeyError, TypeError):
            return None

    def as_json(self) -> str:
        about = {"time": self.at.astimezone(UTC).isoformat(), "level": self.level, "process": self.process}
        error = {"error": self.error} if self.error else {}
        return json.dumps({**about, "message": self.message, **self.ids, **error}, default=str, ensure_ascii=False)

    def as_text(self) -> str:
        known = {name: str(value) for name, value in self.ids.items() if name != "span" and value is not None}
        about = " ".join(
            f"{name}={value[:_SHORT] if len(value) > 2 * _SHORT else value}" for name, value in known.items()
        )
        shown = f"{self.at.astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3]
        line = f"{shown} {self.level.upper():7} {self.process:11} {self.message}"
        error = f"\n{self.error}" if self.error else ""
        return f"{line}{f'  [{about}]' if about else ''}{error}"


@dataclass(frozen=True)
class Wanted:
    """None means all. A run and a trace may be named by how they begin.

    `traces` are those of the drop: what was done for it before it had a number.
    """

    drop: int | None = None
    run: str | None = None
    dataset: str | None = None
    trace: str | None = None
    process: str | None = None
    since: datetime | None = None
    level: str = "debug"
    traces: frozenset[str] = frozenset()

    def has(self, line: Line) -> bool:
        ids = line.ids
        return (
            (self.drop is None or ids.get("drop") == self.drop or self._is_of_its_trace(line))
            and (self.run is None or str(ids.get("run", "")).startswith(self.run))
            and (self.dataset is None or ids.get("dataset") == self.dataset)
            and (self.trace is None or str(ids.get("trace", "")).startswith(self.trace))
            and self.process in (None, line.process)
            and (self.since is None or line.at >= self.since)
            and _rank(line.level) >= _rank(self.level)
        )

    def may_have(self, text: str) -> bool:
        """False where the line, not read yet, cannot be one: reading costs ten times as much."""
        given = [self.run, self.trace, f'"{self.dataset}"' if self.dataset else None]
        if any(one and one not in text for one in given):
            return False
        return self.drop is None or f'"drop": {self.drop}' in text or any(one in text for one in self.traces)

    def _is_of_its_trace(self, line: Line) -> bool:
        return "drop" not in line.ids and line.ids.get("trace") in self.traces


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
