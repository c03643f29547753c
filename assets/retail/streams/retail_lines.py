"""Sales by hour and country, while they happen. Nothing lands: the tables are made of the files of each day."""

from datetime import timedelta

import polars as pl

from lastmile.streaming import Stream, Tumbling

_is_sale = pl.col("quantity") * pl.col("unit_price") > 0

stream = Stream(
    name="retail_lines",
    description="Lines of the shop's invoices, as they are picked.",
    owner="team:shop",
    topic="retail_lines",
    contract="retail_lines",
    event_time="invoice_date",
    lateness=timedelta(minutes=10),
    late="update",
    lands=False,
    steps=(_is_sale, {"pence": (pl.col("unit_price") * 100).round().cast(pl.Int64) * pl.col("quantity")}),
    windows=(
        Tumbling(
            name="sales_by_hour",
            description="What was sold in each hour, by country; returns and entries without a price are left out.",
            every=timedelta(hours=1),
            keys=("country",),
            values={"lines": pl.len(), "pieces": pl.col("quantity").sum(), "pence": pl.col("pence").sum()},
        ),
    ),
)
