"""What Dagster recorded of runs, as log lines, read without Dagster: its import is most of what a command costs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from lastmile.operations.logs.line import Line, Wanted
from lastmile.orchestration.runs.traced import TRACE_TAG

#: Events of no interest to a reader of logs: what is planned, and where outputs went.
_SILENT = ["ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED", "HANDLED_OUTPUT", "LOADED_INPUT",
           "STEP_INPUT", "STEP_OUTPUT", "LOGS_CAPTURED", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS",
           "ASSET_OBSERVATION", "ENGINE_EVENT"]  # fmt: skip
_NAMES = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
_MOST = 20_000
_EVENTS = """
SELECT id, run_id, step_key, timestamp, event FROM dagster.event_logs
WHERE run_id = ANY(%s) AND coalesce(dagster_event_type, '') <> ALL(%s) AND id > %s ORDER BY id LIMIT %s
"""
_BY_NAME = "SELECT run_id FROM dagster.runs WHERE run_id LIKE %s LIMIT 100"
_BY_TRACE = "SELECT run_id FROM dagster.run_tags WHERE key = %s AND value LIKE %s LIMIT 100"


class RunLines:
    """The events of the runs that are wanted; nothing where no run, drop or trace is named."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._after = 0

    def new_lines(self, wanted: Wanted, key: str | None, runs: Sequence[str]) -> list[Line]:
        """Those recorded since the last call. Of the runs of a drop, what names its `key` or went wrong."""
        if not (found := self._runs(wanted, runs)):
            return []
        rows = self._connection.execute(_EVENTS, [found, _SILENT, self._after, _MOST]).fetchall()
        self._after = max([self._after, *(number for number, *_ in rows)])
        lines = (_line(*row) for _, *row in rows)
        return [line for line in lines if _is_wanted(line, wanted, key)]

    def _runs(self, wanted: Wanted, runs: Sequence[str]) -> list[str]:
        ((table,),) = self._connection.execute("SELECT to_regclass('dagster.event_logs')").fetchall()
        if table is None or wanted.process not in (None, "dagster"):
            return []
        if wanted.run:
            return self._named(_BY_NAME, f"{wanted.run}%")
        if wanted.trace:
            return self._named(_BY_TRACE, TRACE_TAG, f"00-{wanted.trace}%")
        return list(runs)

    def _named(self, query: str, *values: str) -> list[str]:
        return [run for (run,) in self._connection.execute(query, list(values)).fetchall()]


def _is_wanted(line: Line, wanted: Wanted, key: str | None) -> bool:
    of_drop = key is None or key in line.message or line.level == "error"
    return of_drop and Wanted(since=wanted.since, level=wanted.level).has(line)


def _line(run: str, step: str | None, at: datetime, text: str) -> Line:
    event: dict[str, Any] = json.loads(text)
    recorded = event.get("dagster_event") or {}
    kind = str(recorded.get("event_type_value", ""))
    message = event.get("user_message") or recorded.get("message") or kind.replace("PIPELINE_", "run ").lower()
    error = _error((recorded.get("event_specific_data") or {}).get("error") or event.get("error_info"))
    is_failure = kind.endswith("FAILURE") or error is not None
    level = "error" if is_failure else "info" if recorded else _NAMES.get(event.get("level", 20), "info")
    about = {"run": run, **({"step": step} if step else {})}
    return Line(at.replace(tzinfo=at.tzinfo or UTC), level, "dagster", message.strip(), about, error)


def _error(found: dict[str, Any] | None) -> str | None:
    """The chain of causes, the first last, as Python prints them."""
    parts: list[str] = []
    while found and "message" in found:
        parts.append("".join(found.get("stack") or []) + found["message"].strip())
        found = found.get("cause")
    return "\n".join(parts) or None
