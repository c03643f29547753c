"""Records for the small dataset `visits` over HTTP, and waiting until they are in its table."""

import time
from collections.abc import Callable
from typing import Any

from visits import Site

GOOD = {"visit": "v1", "persons": 3, "hours": 2.5, "travel_hours": 1, "outcome": "done"}
RECORDS = "/datasets/visits/records?partition=2020"


def until(holds: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)
    return found


def all_written(site: Site) -> bool:
    (row,) = site.query(
        "SELECT (SELECT count(*) FROM submissions.records WHERE waiting)"
        " + (SELECT count(*) FROM submissions.objects WHERE written < generation) AS n"
    )
    return bool(row["n"] == 0)


def ingested(site: Site) -> None:
    until(lambda: all_written(site))
    site.discover()
    site.take()
