"""Daily sales of an online shop: a dataset that has nothing to do with households, as a user would declare it."""

from datetime import date

from lastmile.contract import Contract, Partition, integer, moment, number, text

contract = Contract(
    name="sales",
    description="Lines of invoices; negative quantities are returns.",
    owner="team:shop",
    partition=Partition("day", start=date(2010, 12, 1)),
    columns={
        "invoice_no": text(
            "Invoice; begins with C where it cancels one.", required=True, matches=r"C?\d{6}", aliases=("InvoiceNo",)
        ),
        "stock_code": text("Article.", required=True, aliases=("StockCode",)),
        "description": text("Article in words."),
        "quantity": integer("Pieces.", unit="pieces", required=True),
        "invoice_date": moment("When it was sold.", required=True, aliases=("InvoiceDate",)),
        "unit_price": number("Price of a piece.", unit="GBP", at_least=0, required=True, aliases=("UnitPrice",)),
        "customer_id": integer("Buyer, where known.", personal=True, aliases=("CustomerID",)),
        "country": text("Where the buyer lives."),
    },
)
