"""Lines of the invoices of an online shop, a file a day; made for the shape of the UCI set "Online Retail".

Lines have no natural key and every one is kept, equal ones too. In the real files of December 2010, 753 articles stand
more than once on an invoice at one price, and in 349 of these with different quantities: articles are entered as they
are picked, so a line that says the same as another one is another pick. What was sent twice is stopped as a whole file.

An invoice number that begins with C cancels lines of earlier invoices, one with A adjusts a bad debt. A price of zero
is an entry of the stock-keepers, whose notes ("?", "damages") then stand where the article's name belongs. Customers
are known for two lines in three and come as numbers with a fraction, such as 17850.0.
"""

from datetime import date, datetime, timedelta

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Arrival, Contract, Partition, Policy, field

#: The largest real order, returned within the quarter of an hour, was of 80,995 pieces.
MOST_PIECES = 100_000
#: The dearest real line, a correction by hand, is 38,970 GBP; the largest bad debt written off 11,062 GBP.
HIGHEST_PRICE_GBP = 50_000
LOWEST_PRICE_GBP = -20_000

_is_cancellation = pl.col("invoice_no").str.starts_with("C")


class RetailLines(pa.DataFrameModel):
    invoice_no: str = field(
        "Invoice; begins with C where it cancels, with A where it adjusts a bad debt.",
        str_matches=r"^[AC]?\d{6}$",
        aliases=("InvoiceNo", "Invoice"),
    )
    stock_code: str = field(
        "Article; some stand for services, such as POST.", str_matches=r"^\w[\w ]*$", aliases=("StockCode",)
    )
    description: str | None = field("Article in words, or a note of the stock-keepers where the price is zero.")
    quantity: int = field("Pieces.", unit="pieces", ge=-MOST_PIECES, le=MOST_PIECES)
    invoice_date: datetime = field("When the line was booked.", aliases=("InvoiceDate",))
    unit_price: float = field(
        "Price of a piece.", unit="GBP", ge=LOWEST_PRICE_GBP, le=HIGHEST_PRICE_GBP, aliases=("UnitPrice", "Price")
    )
    customer_id: int | None = field("Buyer, where known.", personal=True, ge=1, aliases=("CustomerID", "Customer ID"))
    country: str = field("Where the buyer lives.")

    @pa.dataframe_check(error="A line of an invoice that begins with C has a negative quantity.")
    def cancellations_take_back(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(~_is_cancellation | (pl.col("quantity") < 0))

    @pa.dataframe_check(error="A line with a price, of an invoice without C, has pieces.")
    def sales_give_out(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(_is_cancellation | (pl.col("unit_price") <= 0) | (pl.col("quantity") > 0))


contract = Contract(
    name="retail_lines",
    schema=RetailLines,
    description="Lines of the invoices of an online shop, as they were picked; negative quantities are returns.",
    owner="team:shop",
    partition=Partition("day", start=date(2010, 12, 1)),
    policy=Policy(duplicates="keep"),
    arrival=Arrival(expected_every=timedelta(days=12)),  # closed for eleven days at the turn of the year
    tags={"domain": "retail", "source": "shop", "sensitivity": "personal"},
)
