"""What the checks of assets said last."""

from collections.abc import Iterator

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.checks import latest
from lastmile.operations.metrics.family import gauge


def checks(connection: Connection) -> Iterator[Metric]:
    rows = [(one["asset"], one["check"], one["severity"] or "", not one["passed"]) for one in latest(connection)]
    yield gauge("check_failed", "1: the newest result is a failure.", ["asset", "check", "severity"], rows)
