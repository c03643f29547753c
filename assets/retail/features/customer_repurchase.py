"""Customers as they were at the first of a month, and whether they order again in the 30 days from it on.

Inputs are of the days before the month only. A day counts by when it was booked, not by when its file came: a file that
comes late corrects the months after its day, and what a model was trained on before is kept with its version.
"""

from datetime import date, timedelta

import pandas as pd
import pandera.pandas as pa

from lastmile.contracts.partition import Partition
from lastmile.learning import FeatureSet, field

BUYS_AGAIN = ("yes", "no")


class CustomerRepurchase(pa.DataFrameModel):
    """A customer who ordered in the 180 days before the first of a month."""

    customer_id: int = field("Customer.", nullable=False)
    snapshot_month: str = field("Month at whose first day the customer is looked at, such as 2011-02.", nullable=False)

    country: str = field("Where the customer lives.")
    days_since_last_order: float = field("Days since the latest order.", unit="days", ge=1, le=180)
    days_since_first_order: float = field("Days since the first order ever.", unit="days", ge=1)
    days_between_orders: float = field("Mean of the days from an order to the next.", unit="days", ge=1)
    order_days_30: float = field("Days with an order within 30 days.", unit="days", ge=0, le=30)
    order_days_90: float = field("Days with an order within 90 days.", unit="days", ge=0, le=90)
    order_days_180: float = field("Days with an order within 180 days.", unit="days", ge=1, le=180)
    gross_revenue_30_gbp: float = field("Charged within 30 days.", unit="GBP", ge=0)
    gross_revenue_180_gbp: float = field("Charged within 180 days.", unit="GBP", ge=0)
    order_value_gbp: float = field("Charged for an order, on average.", unit="GBP", ge=0)
    lines_per_order: float = field("Lines of an order, on average.", unit="lines", ge=1)
    articles_per_day: float = field("Different articles of a day with an order, on average.", unit="articles", ge=1)
    pieces_per_line: float = field("Pieces of a line, on average.", unit="pieces", ge=1)
    cancelled_share: float = field("Cancelled, as a share of what was charged.", ge=0)
    weekend_share: float = field("Share of the days with an order that were at a weekend.", ge=0, le=1)

    buys_again: str = field("To be learned; missing until the 30 days are over.", isin=BUYS_AGAIN)


def customer_repurchase(fct_retail_customer_month: pd.DataFrame, fct_retail_repurchase: pd.DataFrame) -> pd.DataFrame:
    """Every customer of a month, with what came of it where that is known."""
    key = ["customer_id", "snapshot_month"]
    outcome = fct_retail_repurchase[[*key, "buys_again"]]
    return fct_retail_customer_month.merge(outcome, on=key, how="left", validate="one_to_one")


features = FeatureSet(
    name="customer_repurchase",
    description="Customers as they were at the first of a month, and whether they order again within 30 days.",
    owner="team:shop",
    schema=CustomerRepurchase,
    make=customer_repurchase,
    entity=("customer_id", "snapshot_month"),
    group="customer_id",
    partition=Partition("month", start=date(2010, 12, 1)),
    sources=("marts.fct_retail_customer_month", "marts.fct_retail_repurchase"),
    datasets=("retail_lines",),
    targets=("buys_again",),
    forbidden=frozenset({"purchases_after"}),
    horizon=timedelta(days=30),
)
