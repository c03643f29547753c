"""What dbt has carried out, as spans: of each model, test, seed and snapshot, by dbt's own events and times."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lastmile.telemetry.spans import record

_FAILED = ("error", "fail", "runtime error")


def record_node(event: Mapping[str, Any]) -> None:
    """The node that an event of dbt says is finished; nothing for any other event."""
    if event["info"]["name"] != "NodeFinished":
        return
    data = event["data"]
    node, result = data["node_info"], data["run_result"]
    seconds, status = float(result.get("execution_time", 0)), str(result.get("status", ""))
    ended = datetime.fromisoformat(event["info"]["ts"]).timestamp()
    known: dict[str, Any] = {"model": node["node_name"], "status": status}
    if (rows := str(result.get("message", "")).split()[-1:]) and rows[0].isdigit():
        known["rows"] = int(rows[0])
    if status in _FAILED:
        known["problem"] = result.get("message") or status
    record(f"dbt.{node['resource_type']}", ended - seconds, seconds, **known)
