# /// script
# dependencies = ["quixstreams[postgresql]>=3.20"]
# ///
"""Quix Streams: a tumbling window that is final once its partition has passed it, into its own sink of Postgres.

Its state is by the key of the message, so that it takes single messages only. It commits every second instead of five,
and writes no changelog of its state, since the broker here compacts no topics: both are to its advantage.
"""

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum
from quixstreams.sinks.community.postgresql import PostgreSQLSink

SERVERS, TOPIC, URL, FORM = sys.argv[1:]
DATABASE = urlsplit(URL)


def milliseconds(event, *_):
    return int(datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp() * 1_000)


def as_row(window, key, *_):
    start = datetime.fromtimestamp(window["start"] / 1_000, UTC).replace(tzinfo=None)
    return {"key": key, "window_start": start, "events": window["events"], "cents": window["cents"]}


with tempfile.TemporaryDirectory(prefix="quix-") as folder:
    app = Application(
        SERVERS,
        consumer_group=f"quix-{uuid4()}",
        auto_offset_reset="earliest",
        consumer_extra_config={"fetch.queue.backoff.ms": 10},
        commit_interval=1.0,
        use_changelog_topics=False,
        state_dir=folder,
        loglevel="WARNING",
    )
    topic = app.topic(TOPIC, key_deserializer="str", value_deserializer="json", timestamp_extractor=milliseconds)
    sink = PostgreSQLSink(
        DATABASE.hostname,
        DATABASE.port,
        DATABASE.path.lstrip("/"),
        DATABASE.username,
        DATABASE.password,
        "windows",
        schema_name="peers",
        primary_key_columns=["key", "window_start"],
        upsert_on_primary_key=True,
        include_metadata=False,
    )
    events = app.dataframe(topic)
    windows = events.tumbling_window(timedelta(minutes=1)).agg(events=Count(), cents=Sum("cents"))
    windows.final(closing_strategy="partition").apply(as_row, metadata=True).sink(sink)
    print("ready", flush=True)
    app.run()
