"""A forked consumer of the stream of sales, which dies or stands still at a given point."""

import faulthandler
import logging
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from faults.worker import Point, at, die, stop

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.store import Store, open_store
from lastmile.streaming.consumer import commit, persistence, positions
from lastmile.streaming.consumer.commit import Commits
from lastmile.streaming.consumer.group import Group
from lastmile.streaming.consumer.preparing import Preparation
from lastmile.streaming.dedup import Dedup
from lastmile.streaming.landing.segments import Segments
from lastmile.streaming.windows.table import WindowTable
from lastmile.warehouse.binary_copy import BinaryCopy

#: Points at which a consumer can be killed or suspended, in the order in which a batch passes them.
POINTS: dict[str, Point] = {
    "before the claim": (positions, "claim", "before"),
    "after the claim": (positions, "claim", "after"),
    "after reading": (Group, "read", "after"),
    "before preparing": (Preparation, "prepare", "before"),
    "after preparing": (Preparation, "prepare", "after"),
    "after holding": (positions, "hold", "after"),
    "after finding repeats": (Dedup, "first", "after"),
    "mid COPY": (BinaryCopy, "send", "halfway"),
    "after quarantining": (commit, "quarantine_messages", "after"),
    "after moving": (positions, "move", "after"),
    "before the windows": (WindowTable, "merge", "before"),
    "after the windows": (WindowTable, "merge", "after"),
    "before the commit": (positions, "advance", "after"),
    "after the commit": (Commits, "commit", "after"),
    "after deciding a segment": (Segments, "decide", "after"),
    "before the put": (Store, "put", "before"),
    "after the put": (Store, "put", "after"),
    "after landing": (Segments, "done", "after"),
}
#: A member is given up after so long; what a suspended one has locked is free after that.
SESSION_SECONDS = 1.5


def work(job: dict[str, Any]) -> bool:
    """Read the stream until caught up, or until SIGTERM; False where the environment failed."""
    from streamed import SALES, SALES_BY_KEY, STREAM  # declaring a contract starts threads

    faulthandler.register(signal.SIGUSR1)
    logging.basicConfig(level=logging.INFO, format=f"{job['name']} %(message)s")
    persistence._LIMITS = f"SET idle_in_transaction_session_timeout = '{SESSION_SECONDS:g}s'"
    match job.get("fault"):
        case ["die at", point, nth]:
            at(POINTS[point], nth, die)
        case ["stop at", point, nth]:
            at(POINTS[point], nth, stop)
    from lastmile.streaming.consumer.running import Running, Surroundings

    stream = replace(STREAM, topic=job["topic"], lands=True, idle_after=timedelta(hours=1))
    kafka = {
        "bootstrap.servers": job["kafka"],
        "session.timeout.ms": str(int(SESSION_SECONDS * 1_000)),
        "heartbeat.interval.ms": "300",
        "reconnect.backoff.max.ms": "200",
        "log_level": "0",
    }
    store = open_store(Settings(Path(), job["database"], job["store"], "none"))
    here = Surroundings(job["database"], store, kafka, landing_seconds=0.3)
    running = Running(stream, SALES_BY_KEY if job["keyed"] else SALES, here, until_caught_up=job["until_caught_up"])
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    try:
        running.run()
    except (UserError, psycopg.OperationalError) as error:
        print(f"{job['name']}: {error}", file=sys.stderr)
        return False
    return True
