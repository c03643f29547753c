"""Datasets, by the ledger: freshness, lateness, bad rows, volume, headers, failures."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from math import log
from statistics import median
from typing import Any

from psycopg import Connection

from lastmile.ledger import watched
from lastmile.operations.alerts.rule import Reading

Found = tuple[str, str, Reading]
Row = dict[str, Any]

#: So many earlier partitions at least say what is usual, and so many at most.
_FEWEST, _MOST = 5, 60
#: The scale is a normal distribution's standard deviation, at least a fifth: no number of rows is that regular.
_OF_NORMAL, _LEAST_SCALE = 1.4826, 0.2


def datasets(connection: Connection, store: str) -> Iterator[Found]:
    """Rule, dataset and reading."""
    for row in watched.newest_ages(connection, store):
        yield "freshness", row["dataset"], Reading(max(0.0, row["seconds"]))
    for row in watched.late_in_a_day(connection, store):
        yield "lateness", row["dataset"], Reading(row["seconds"], row["partition"], _drops(row["drops"]))
    for row in watched.bad_shares(connection, store):
        yield "bad_share", row["dataset"], Reading(row["share"], row["partition"], _bad(row))
    for dataset, rows in groupby(watched.loaded_rows(connection, store), lambda row: row["dataset"]):
        if found := jump(list(rows)):
            yield "volume", dataset, found
    for row in watched.newest_headers(connection, store):
        columns = undeclared(row["change"])
        yield "schema_drift", row["dataset"], Reading(len(columns), "", f"{row['key']}: {_some(columns)}")
    for row in watched.failures(connection, store):
        said = f"{row['key']}: {row['message'] or 'missing'}"
        yield "failed_drops", row["dataset"], Reading(row["drops"], row["partition"], said)


def jump(partitions: list[Row]) -> Reading | None:
    """How far the rows of the newest partition are from the median of the earlier ones, in robust standard deviations
    of the logarithms; None where too few say what is usual. An open partition may still have too few rows."""
    if len(partitions) <= _FEWEST:
        return None
    *earlier, newest = partitions[-_MOST - 1 :]
    logs = [log(row["rows"] + 1) for row in earlier]
    centre = median(logs)
    scale = max(_OF_NORMAL * median(abs(one - centre) for one in logs), _LEAST_SCALE)
    distance = (log(newest["rows"] + 1) - centre) / scale
    if distance < 0 and not newest["ended"]:
        distance = 0.0
    usual = median(row["rows"] for row in earlier)
    return Reading(abs(distance), newest["partition"], f"{newest['rows']:,} rows; usual are {usual:,.0f}")


def undeclared(change: Row) -> list[str]:
    """Columns of a header that its contract does not declare."""
    return [*change.get("rescued", ()), *change.get("added", ())]


def _bad(row: Row) -> str:
    whole = f"{_drops(row['whole'])} quarantined whole" if row["whole"] else ""
    rows = f"{row['bad']:,} rows quarantined" if row["bad"] else ""
    return f"{' and '.join(filter(None, (rows, whole)))} of {row['read']:,} rows read"


def _drops(number: int) -> str:
    return f"{number:,} drop{'s' * (number != 1)}"


def _some(names: Iterable[str]) -> str:
    first, more = list(names)[:3], len(list(names)) - 3
    return f"{', '.join(first)}{f' and {more} more' if more > 0 else ''}"
