"""What pages say of their visitors, by `navigator.sendBeacon`.

A browser's clock may say anything, so an event's time is when it was received. A beacon that is sent again has the same
`event_id`. `visitor_id` is a random number that the browser keeps: no name, but the same person's.
"""

from datetime import date, datetime

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, field

KINDS = ("view", "click", "scroll", "leave")


class PageBeacons(pa.DataFrameModel):
    event_id: str = field("The event; given by the page.", str_length={"min_value": 8, "max_value": 64})
    visitor_id: str = field(
        "The browser, as long as it keeps the number.", personal=True, str_length={"min_value": 8, "max_value": 64}
    )
    kind: str = field("What happened.", isin=KINDS)
    page: str = field("Path of the page.", str_matches="^/")
    target: str | None = field("What was clicked.")
    referrer: str | None = field("Page that led here.")
    seconds: float | None = field("How long the page had been open.", unit="seconds", ge=0)
    at: datetime | None = field("When it happened, by the browser's clock.")
    received_at: datetime = field("When it was received.")
    client_ip: str | None = field("Address that it came from.", personal=True)
    user_agent: str | None = field("Browser, as it says itself.")


contract = Contract(
    name="page_beacons",
    schema=PageBeacons,
    description="Views, clicks and reading times of the site's pages, as browsers send them.",
    owner="team:web",
    partition=Partition("day", start=date(2015, 1, 1)),
    key=("event_id",),
    tags={"domain": "web-traffic", "source": "browser", "sensitivity": "personal"},
)
