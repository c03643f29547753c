"""Stock of the shop's articles, as its database has it now: no files, but changes that are followed.

The shop's own program keeps the table; what is less than nothing is a mistake of a count, and goes to quarantine until
it is mended there.
"""

from datetime import date, datetime

import pandera.polars as pa

from assets.retail.contracts.retail_lines import HIGHEST_PRICE_GBP, MOST_PIECES
from lastmile.contracts import Contract, Partition, field


class RetailStock(pa.DataFrameModel):
    stock_code: str = field("Article.", str_matches=r"^\w[\w ]*$")
    description: str | None = field("Article in words.")
    quantity: int = field("Pieces in stock.", unit="pieces", ge=0, le=MOST_PIECES)
    unit_price: float | None = field("Price of a piece.", unit="GBP", ge=0, le=HIGHEST_PRICE_GBP)
    counted_at: datetime | None = field("When the pieces were last counted.")


contract = Contract(
    name="retail_stock",
    schema=RetailStock,
    description="Articles in stock at an online shop.",
    owner="team:shop",
    partition=Partition("day", start=date(2026, 1, 1)),
    key=("stock_code",),
    tags={"domain": "retail", "source": "shop"},
)
