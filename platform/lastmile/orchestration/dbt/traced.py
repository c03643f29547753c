"""What dbt has carried out, as spans: of each model, test, seed and snapshot, by dbt's own events and times."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lastmile.telemetry.spans import record

_RESULTS = {"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"}
_FAILED = {"error", "fail", "runtime error"}


def record_node(event: Mapping[str, Any]) -> None:
    """The node that an event of dbt is the result of; nothing for any other event."""
    if event["info"]["name"] not in _RESULTS:
        return
    data = event["data"]
    node, seconds = data["node_info"], float(data.get("execution_time", 0))
    status, said = str(node["node_status"]).lower(), str(data.get("status", ""))
    ended = datetime.fromisoformat(event["info"]["ts"]).timestamp()
    known: dict[str, Any] = {"model": node["node_name"], "status": status}
    if (last := said.split()[-1:]) and last[0].isdigit():  # such as `INSERT 0 634`
        known["rows"] = int(last[0])
    if status in _FAILED:
        failures = data.get("num_failures")
        known["problem"] = f"{failures} rows fail it" if failures else said
    record(f"dbt.{node['resource_type']}", ended - seconds, seconds, **known)
