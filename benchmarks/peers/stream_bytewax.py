# /// script
# dependencies = ["bytewax[kafka]>=0.21", "psycopg[binary]>=3.2", "orjson>=3.10", "pyarrow>=20"]
# ///
"""bytewax: a window folded by event time, into a sink of psycopg, since it has none of Postgres.

It reads up to the end that the topic has, where its windows close. Its clock goes on by itself after an event, so that
it waits ten seconds for others.
"""

import sys
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
import psycopg
import pyarrow as pa
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

SERVERS, TOPIC, URL, FORM = sys.argv[1:]
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TABLE = """
    CREATE TABLE IF NOT EXISTS peers.windows (key text, window_start timestamptz, events bigint, cents bigint,
        PRIMARY KEY (key, window_start))
"""
UPSERT = """
    INSERT INTO peers.windows VALUES (%s, %s, %s, %s) ON CONFLICT (key, window_start)
    DO UPDATE SET events = excluded.events, cents = excluded.cents
"""


class Windows(StatelessSinkPartition):
    def __init__(self):
        self._connection = psycopg.connect(URL)
        self._connection.execute(TABLE)
        self._connection.commit()

    def write_batch(self, items):
        rows = [(key, START + number * MINUTE, events, cents) for key, (number, (events, cents)) in items]
        with self._connection.cursor() as cursor:
            cursor.executemany(UPSERT, rows)
        self._connection.commit()


class Postgres(DynamicSink):
    def build(self, *_):
        return Windows()


def from_json(message):
    event = orjson.loads(message.value)
    return event["key"], (datetime.fromisoformat(event["at"]), event["cents"])


def from_arrow(message):
    columns = pa.ipc.open_stream(message.value).read_all().select(["key", "at", "cents"]).to_pydict()
    return [(key, (at, cents)) for key, at, cents in zip(*columns.values(), strict=True)]


def fold(state, event):
    return state[0] + 1, state[1] + event[1]


def merge(one, other):
    return one[0] + other[0], one[1] + other[1]


flow = Dataflow("windows")
CONFIG = {"fetch.queue.backoff.ms": "10"}
messages = op.input("kafka", flow, KafkaSource([SERVERS], [TOPIC], tail=False, add_config=CONFIG, batch_size=10_000))
events = op.map("json", messages, from_json) if FORM == "json" else op.flat_map("arrow", messages, from_arrow)
clock = win.EventClock(lambda event: event[0], wait_for_system_duration=timedelta(seconds=10))
windower = win.TumblingWindower(length=MINUTE, align_to=START)
windows = win.fold_window("windows", events, clock, windower, lambda: (0, 0), fold, merge, ordered=False)
op.output("postgres", windows.down, Postgres())
print("ready", flush=True)
cli_main(flow)
