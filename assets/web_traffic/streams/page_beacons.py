"""Page views by minute, and the visits they make up: a visitor who does nothing for half an hour begins another."""

from datetime import timedelta

import polars as pl

from lastmile.streaming import Session, Stream, Tumbling

stream = Stream(
    name="page_beacons",
    description="Views, clicks and reading times of the site's pages, as browsers send them.",
    owner="team:web",
    topic="page_beacons",
    contract="page_beacons",
    event_time="received_at",
    lateness=timedelta(minutes=5),
    steps=({"is_view": pl.col("kind") == "view", "is_click": pl.col("kind") == "click"},),
    windows=(
        Tumbling(
            name="page_views_by_minute",
            description="What happened on each page in each minute.",
            every=timedelta(minutes=1),
            keys=("page",),
            values={"views": pl.col("is_view").sum(), "clicks": pl.col("is_click").sum()},
        ),
        Session(
            name="visits",
            description="Visits: the events of a visitor that follow one another within half an hour.",
            gap=timedelta(minutes=30),
            keys=("visitor_id",),
            values={
                "events": pl.len(),
                "views": pl.col("is_view").sum(),
                "first_page": pl.col("page").first(),
                "last_page": pl.col("page").last(),
            },
        ),
    ),
)
