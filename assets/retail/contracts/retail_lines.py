"""Lines of the invoices of an online shop, a file a day; made for the shape of the UCI set "Online Retail".

Lines have no natural key and every one is kept, equal ones too. In the real files of December 2010, 753 articles stand
more than once on an invoice at one price, and in 349 of these with different quantities: articles are entered as they
are picked, so a line that says the same as another one is another pick. What was sent twice is stopped as a whole file.

An invoice number that begins with C cancels lines of earlier invoices, one with A adjusts a bad debt. A price of zero
is an entry of the stock-keepers, whose notes ("?", "damages") then stand where the article's name belongs. Customers
are known for two lines in three and come as numbers with a fraction, such as 17850.0.
"""

from datetime import date, timedelta

import polars as pl

from lastmile.contracts import Contract, Partition, integer, moment, number, rule, text

#: The largest real order, taken back within the quarter of an hour, was of 80,995 pieces.
MOST_PIECES = 100_000
#: The dearest real line, a correction by hand, is 38,970 GBP; the largest bad debt written off 11,062 GBP.
HIGHEST_PRICE_GBP = 50_000
LOWEST_PRICE_GBP = -20_000

_is_cancellation = pl.col("invoice_no").str.starts_with("C")


contract = Contract(
    name="retail_lines",
    description="Lines of the invoices of an online shop, as they were picked; negative quantities are taken back.",
    owner="team:shop",
    partition=Partition("day", start=date(2010, 12, 1)),
    duplicates="keep",
    expected_every=timedelta(days=12),  # closed for eleven days at the turn of the year
    tags={"domain": "retail", "source": "shop", "sensitivity": "personal"},
    columns={
        "invoice_no": text(
            "Invoice; begins with C where it cancels, with A where it adjusts a bad debt.",
            required=True,
            matches=r"[AC]?\d{6}",
            aliases=("InvoiceNo", "Invoice"),
        ),
        "stock_code": text(
            "Article; some stand for services, such as POST.",
            required=True,
            matches=r"\w[\w ]*",
            aliases=("StockCode",),
        ),
        "description": text("Article in words, or a note of the stock-keepers where the price is zero."),
        "quantity": integer("Pieces.", unit="pieces", required=True, at_least=-MOST_PIECES, at_most=MOST_PIECES),
        "invoice_date": moment("When the line was booked.", required=True, aliases=("InvoiceDate",)),
        "unit_price": number(
            "Price of a piece.",
            unit="GBP",
            required=True,
            at_least=LOWEST_PRICE_GBP,
            at_most=HIGHEST_PRICE_GBP,
            aliases=("UnitPrice", "Price"),
        ),
        "customer_id": integer("Buyer, where known.", personal=True, at_least=1, aliases=("CustomerID", "Customer ID")),
        "country": text("Where the buyer lives.", required=True),
    },
    rules=(
        rule(
            "cancellations_take_back",
            ~_is_cancellation | (pl.col("quantity") < 0),
            "A line of an invoice that begins with C has a negative quantity.",
        ),
        rule(
            "sales_give_out",
            _is_cancellation | (pl.col("unit_price") <= 0) | (pl.col("quantity") > 0),
            "A line with a price, of an invoice without C, has pieces.",
        ),
    ),
)
