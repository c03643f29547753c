"""What streams have done, reported to Dagster once a minute: never a run for what they commit.

A stream is reported when it has committed events since, its checks then and when they come out differently, and a day
of a window once it is final, so that what is made of whole days is made once. What was reported is in the cursor.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.streams.assets import stream_key, window_key
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.verdicts import verdicts

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.streaming.status import StreamStatus

EVERY_SECONDS = 60
#: Days of a window in one report: a stream that begins with years of history has many at once.
_MOST_DAYS = 100
Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def stream_sensor(
    streams: Mapping[str, Stream], contracts: Mapping[str, Contract], every_seconds: int = EVERY_SECONDS
) -> dg.SensorDefinition:
    @dg.sensor(
        name="streams",
        description="Reports what streams have committed, how far behind they are, and which days are final.",
        minimum_interval_seconds=every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def reported(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
        from lastmile.streaming.status import statuses

        cursor: dict[str, dict[str, Any]] = json.loads(context.cursor or "{}")
        events: list[Event] = []
        with platform.connect() as connection:
            found = {one.stream: one for one in statuses(connection)}
            for stream in streams.values():
                before, status = cursor.setdefault(stream.name, {}), found.get(stream.name)
                contract = contract_of(stream.contract, contracts)
                events += _of_stream(stream, contract, status, before)
                events += _final(connection, stream, status, before.setdefault("days", {}))
        for event in events:
            context.instance.report_runless_asset_event(event)
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(f"reported: {len(events)}" if events else "no stream has committed anything since")

    return reported


def _of_stream(
    stream: Stream, contract: Contract, status: "StreamStatus | None", before: dict[str, Any]
) -> Iterator[Event]:
    committed = status.events if status else 0
    has_moved = status is not None and committed != before.get("events")
    if status is not None and has_moved:
        watermark = status.watermark.isoformat(sep=" ", timespec="seconds") if status.watermark else "none yet"
        metadata: dict[str, Any] = {
            "events": committed,
            "events since": committed - before.get("events", 0),
            "lag": status.lag if status.lag is not None else "not known yet",
            "watermark": watermark,
            "late share": status.late_share,
            "late": status.late,
            "duplicate": status.duplicate,
            "quarantined": status.quarantined,
            "processes": status.consumers,
        }
        yield dg.AssetMaterialization(stream_key(stream.name), metadata=metadata)
    before["events"] = committed
    outcomes = before.setdefault("checks", {})
    for verdict in verdicts(status, stream.name, contract.arrival.expected_every):
        if has_moved or outcomes.get(verdict.name) != verdict.passed:
            yield dg.AssetCheckEvaluation(
                asset_key=stream_key(stream.name),
                check_name=verdict.name,
                passed=verdict.passed,
                severity=dg.AssetCheckSeverity.WARN,
                description=verdict.said,
            )
        outcomes[verdict.name] = verdict.passed


def _final(
    connection: "Connection", stream: Stream, status: "StreamStatus | None", days: dict[str, str]
) -> Iterator[Event]:
    from lastmile.streaming.windows.days import final_days

    if status is None or status.watermark is None:
        return
    for window in stream.windows:
        after = date.fromisoformat(days[window.name]) if window.name in days else None
        for day, rows in final_days(connection, window.name, after, status.watermark, _MOST_DAYS):
            yield dg.AssetMaterialization(
                window_key(window.name), partition=day.isoformat(), metadata={"dagster/partition_row_count": rows}
            )
            days[window.name] = day.isoformat()
