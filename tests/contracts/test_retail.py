"""The contract of the shop's lines, held against the real files of a month and against lines made wrong on purpose."""

import polars as pl
import pytest
from contracts.judging import judge, read, reasons

from lastmile.contracts import load_contracts

CONTRACT = load_contracts("assets")["retail_lines"]
LINE = {
    "InvoiceNo": "536365",
    "StockCode": "85123A",
    "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "Quantity": "6",
    "InvoiceDate": "2010-12-01 08:26:00",
    "UnitPrice": "2.55",
    "CustomerID": "17850.0",
    "Country": "United Kingdom",
}


@pytest.fixture(scope="module")
def days(shared_data):
    return [judge(CONTRACT, read(file)) for file in sorted((shared_data / "events_online_retail").glob("*.csv"))]


def judged(**changes):
    return judge(CONTRACT, pl.DataFrame([{**LINE, **changes}], schema=dict.fromkeys(LINE, pl.String)))


def test_every_real_line_is_good_and_none_is_lost(days):
    assert len(days) == 20
    assert sum(day.valid.height for day in days) == 42_481
    assert sum(day.bad.height for day in days) == 0


def test_customers_are_whole_numbers_and_missing_for_more_than_a_third(days):
    customers = pl.concat([day.valid["customer_id"] for day in days])
    assert customers.dtype == pl.Int64
    assert customers.null_count() == 15_631


@pytest.mark.parametrize(
    "changes",
    [
        {"InvoiceNo": "C536379", "Quantity": "-1"},
        {"InvoiceNo": "A563186", "UnitPrice": "-11062.06", "CustomerID": None},
        {"UnitPrice": "0.0", "Quantity": "-723", "Description": "?"},
        {"StockCode": "BANK CHARGES"},
        {"StockCode": "gift_0001_50", "Description": "Dotcomgiftshop Gift Voucher £50.00"},
    ],
)
def test_odd_lines_that_are_real_are_good(changes):
    assert judged(**changes).valid.height == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"InvoiceNo": None}, "invoice_no required"),
        ({"InvoiceNo": "53636"}, "invoice_no matches"),
        ({"Quantity": "six"}, "quantity type"),
        ({"Quantity": "6.5"}, "quantity type"),
        ({"Quantity": "100001"}, "quantity at_most"),
        ({"InvoiceDate": "01.12.2010"}, "invoice_date type"),
        ({"UnitPrice": "60000"}, "unit_price at_most"),
        ({"CustomerID": "0"}, "customer_id at_least"),
        ({"InvoiceNo": "C536379"}, "cancellations_take_back"),
        ({"Quantity": "-6"}, "sales_give_out"),
    ],
)
def test_a_line_that_cannot_be_is_set_aside_for_its_one_reason(changes, why):
    assert reasons(judged(**changes)) == [{why}]
