"""A shop's days end to end: drops through the intake and dbt, against what the sample or the real files add up to."""

from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest

from assets.retail.sample import generate_shop
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending

DAYS = [date(2024, 2, 20) + timedelta(number) for number in range(20)]
BUILD = ["build", "--exclude-resource-type", "unit_test", "--select", "+path:models/marts/retail"]
REVENUE = """
SELECT partition_start::text, sum(gross_revenue_gbp), sum(cancelled_gbp)
FROM marts.fct_retail_country_day GROUP BY 1 ORDER BY 1
"""
CANCELLATIONS = "SELECT count(*), count(order_invoice_no) FROM marts.fct_retail_cancellation"


@pytest.fixture
def take(warehouse, store, contracts):
    """Takes every drop of the shop that has landed."""

    def take(days):
        discover(warehouse.connection, store, contracts)
        ingest_pending(warehouse.connection, store, contracts["retail_lines"], days, "a run")

    return take


def test_revenue_and_matched_cancellations_are_those_of_the_sample(warehouse, store, take, tmp_path):
    truth = generate_shop(tmp_path, DAYS, invoices=10, seed=3)
    for drop in truth.drops:
        store.put(f"landing/{drop.key}", tmp_path / drop.key)
    take([drop.partition for drop in truth.drops])
    warehouse.run(*BUILD)
    stated = [(day, Decimal(truth.charged[day]) / 100, Decimal(truth.cancelled[day]) / 100) for day in truth.charged]
    assert warehouse.select(REVENUE) == stated
    assert warehouse.select(CANCELLATIONS) == [(truth.cancellations, truth.of_orders)]


def test_a_month_of_the_real_shop_adds_up(warehouse, store, take, shared_data):
    files = sorted((shared_data / "events_online_retail").glob("*.csv"))
    for file in files:
        store.put(f"landing/retail_lines/{file.stem}/shop/{file.name}", file)
    take([file.stem for file in files])
    warehouse.run(*BUILD)
    real = pl.concat([pl.read_csv(file, infer_schema=False) for file in files])
    value = pl.col("Quantity").cast(int) * pl.col("UnitPrice").cast(pl.Decimal(12, 3))
    cancelled = pl.col("InvoiceNo").str.starts_with("C")
    expected = real.select(gross=value.filter(~cancelled).sum(), cancelled=-value.filter(cancelled).sum()).row(0)
    revenue = warehouse.select("SELECT sum(gross_revenue_gbp), sum(cancelled_gbp) FROM marts.fct_retail_country_day")
    assert revenue == [expected]
    assert warehouse.select(CANCELLATIONS) == [(728, orders_found(real))]
    cohort = "SELECT months_since_first_order, customers, active_share FROM marts.summary_retail_cohort"
    customers = real.filter(~cancelled, pl.col("UnitPrice").cast(float) > 0)["CustomerID"].drop_nulls().n_unique()
    assert warehouse.select(cohort) == [(0, customers, 1.0)]


def orders_found(lines):
    """How many cancelled lines have an earlier sale of the article to the customer of as many pieces or more."""
    lines = lines.with_columns(pl.col("Quantity").cast(int), pl.col("StockCode").str.to_uppercase())
    cancelled = lines.filter(pl.col("InvoiceNo").str.starts_with("C")).with_row_index("number")
    sold = lines.filter(~pl.col("InvoiceNo").str.starts_with("C"), pl.col("UnitPrice").cast(float) > 0)
    return (
        cancelled.join(sold, on=["CustomerID", "StockCode"], suffix="_sold")
        .filter(pl.col("InvoiceDate_sold") <= pl.col("InvoiceDate"), pl.col("Quantity_sold") >= -pl.col("Quantity"))[
            "number"
        ]
        .n_unique()
    )
