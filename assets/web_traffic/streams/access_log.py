"""Requests by minute: how many, how many failed, how much was sent."""

from datetime import timedelta

import polars as pl

from lastmile.streaming import Stream, Tumbling

stream = Stream(
    name="access_log",
    description="Requests to the web site, as its server logs them.",
    owner="team:web",
    topic="access_log",
    contract="access_log",
    event_time="at",
    lateness=timedelta(minutes=1),
    steps=({"is_error": pl.col("status") >= 500, "is_missing": pl.col("status") == 404},),
    windows=(
        Tumbling(
            name="requests_by_minute",
            description="Requests of each minute.",
            every=timedelta(minutes=1),
            values={
                "requests": pl.len(),
                "errors": pl.col("is_error").sum(),
                "missing": pl.col("is_missing").sum(),
                "bytes_sent": pl.col("bytes").sum(),
            },
        ),
    ),
)
