"""Sensors that fail, read from Dagster's storage without Dagster, whose import is most of what `status` would cost."""

import json

from psycopg import Connection

_SENSORS = ("landing", "automation", "retraining")
_NEWEST = """
SELECT tick_body FROM dagster.job_ticks WHERE selector_id = %s AND status <> 'STARTED' ORDER BY timestamp DESC LIMIT 1
"""


def failing_ticks(connection: Connection) -> list[str]:
    """The error of each sensor whose newest finished tick failed; none where Dagster's tables are not there yet."""
    ((table,),) = connection.execute("SELECT to_regclass('dagster.job_ticks')").fetchall()
    if table is None:
        return []
    found = []
    for selector, body in connection.execute(
        "SELECT selector_id, instigator_body FROM dagster.instigators ORDER BY id"
    ).fetchall():
        if (sensor := json.loads(body)["origin"]["job_name"]) not in _SENSORS:
            continue
        for (tick,) in connection.execute(_NEWEST, [selector]).fetchall():
            tick = json.loads(tick)
            if tick["status"]["__enum__"] == "TickStatus.FAILURE":
                said = tick["error"]["message"].strip() if tick["error"] else "no message"
                found.append(f"the {sensor} sensor fails: {said}")
    return found
