# /// script
# dependencies = ["pathway>=0.26", "pyarrow>=20"]
# ///
"""Pathway: its table of windows is kept up as a snapshot in Postgres, updated with its commits, every 100 ms."""

import sys
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pathway as pw
import pyarrow as pa

SERVERS, TOPIC, URL, FORM = sys.argv[1:]
DATABASE = urlsplit(URL)
KAFKA = {
    "bootstrap.servers": SERVERS,
    "group.id": f"pathway-{uuid4()}",
    "auto.offset.reset": "earliest",
    "fetch.queue.backoff.ms": "10",
}
POSTGRES = {
    "host": DATABASE.hostname,
    "port": DATABASE.port,
    "dbname": DATABASE.path.lstrip("/"),
    "user": DATABASE.username,
    "password": DATABASE.password,
}


class Event(pw.Schema):
    at: str
    key: str
    cents: int


@pw.udf
def decoded(envelope: bytes) -> list[tuple[str, pw.DateTimeUtc, int]]:
    columns = pa.ipc.open_stream(envelope).read_all().select(["key", "at", "cents"]).to_pydict()
    return list(zip(*columns.values(), strict=True))


if FORM == "json":
    found = pw.io.kafka.read(KAFKA, TOPIC, schema=Event, format="json", autocommit_duration_ms=100)
    events = found.select(pw.this.key, pw.this.cents, at=pw.this.at.dt.strptime("%Y-%m-%dT%H:%M:%S%.fZ"))
else:
    envelopes = pw.io.kafka.read(KAFKA, TOPIC, format="raw", autocommit_duration_ms=100)
    each = envelopes.select(event=decoded(pw.this.data)).flatten(pw.this.event)
    events = each.select(key=pw.this.event[0], at=pw.this.event[1], cents=pw.this.event[2])
windows = events.windowby(
    events.at, window=pw.temporal.tumbling(duration=timedelta(minutes=1)), instance=events.key
).reduce(
    key=pw.this._pw_instance,
    window_start=pw.this._pw_window_start,
    events=pw.reducers.count(),
    cents=pw.reducers.sum(pw.this.cents),
)
pw.io.postgres.write(
    windows,
    POSTGRES,
    "windows",
    schema_name="peers",
    init_mode="create_if_not_exists",
    output_table_type="snapshot",
    primary_key=[windows.key, windows.window_start],
)
print("ready", flush=True)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
