"""How sources stand, by the history of their runs."""

from collections.abc import Iterator

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.metrics.family import gauge
from lastmile.sources import watched


def sources(connection: Connection) -> Iterator[Metric]:
    """All that ever ran."""
    yield gauge(
        "source_age_seconds", "Since a fetch last brought records.", ["source"],
        [(row["source"], row["seconds"]) for row in watched.ages(connection)],
    )  # fmt: skip
    failures = dict.fromkeys((row["source"] for row in watched.ages(connection)), 0)
    failures |= {row["source"]: row["failures"] for row in watched.failing(connection)}
    yield gauge(
        "source_failures_in_a_row", "Runs since the last that did not fail.", ["source"], list(failures.items())
    )
    yield gauge(
        "source_slot_bytes", "Log that the database of a source of changes keeps for us.", ["source"],
        [(row["source"], row["bytes"]) for row in watched.slots(connection)],
    )  # fmt: skip
