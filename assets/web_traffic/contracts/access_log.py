"""Lines of a web server's access log, in the combined format.

A line has no key of its own; `line_id` is its place in its file, given by who reads the log. In the real log of May
2015 one line of ten thousand is cut short, and lines are up to a minute out of order: a server writes a line when the
answer is sent. The address of a visitor is personal.
"""

from datetime import date, datetime

import pandera.polars as pa

from lastmile.contracts import Contract, Partition, field


class AccessLog(pa.DataFrameModel):
    line_id: str = field("Place of the line in its file: the same whenever it is read.")
    client_ip: str = field("Address, or name, that the request came from.", personal=True)
    user_name: str | None = field("Who was signed in, by the server's own sign-in.", personal=True)
    at: datetime = field("When the request came, by the server's clock.")
    method: str | None = field("What was to be done, such as GET; none where the request is not HTTP.")
    path: str | None = field("What was requested; all of the request where it is not HTTP.")
    protocol: str | None = field("Version of HTTP.")
    status: int = field("Status of the answer.", ge=100, le=599)
    bytes: int | None = field("Length of the answer; none where it has no body.", unit="bytes", ge=0)
    referrer: str | None = field("Page that led here, as the browser says.")
    user_agent: str | None = field("Browser or robot, as it says itself.")


contract = Contract(
    name="access_log",
    schema=AccessLog,
    description="Requests to the web site, as its server logs them.",
    owner="team:web",
    partition=Partition("day", start=date(2015, 1, 1)),
    key=("line_id",),
    tags={"domain": "web-traffic", "source": "web-server", "sensitivity": "personal"},
)
