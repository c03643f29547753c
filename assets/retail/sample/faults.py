"""Cells that make a line of an invoice bad for one known reason each."""

from lastmile.sampling.dirt import Faults

FAULTS: Faults = {
    "wrong_type": (
        {"Quantity": "a dozen"},
        {"UnitPrice": "2.55 GBP"},
        {"InvoiceDate": "before noon"},
    ),
    "out_of_range": ({"InvoiceNo": "500001", "Quantity": "1", "UnitPrice": "99999999.0"},),
    "missing_required": (
        {"InvoiceNo": None},
        {"Country": None},
    ),
    "broken_rule": (
        {"InvoiceNo": "C500001", "Quantity": "5", "UnitPrice": "1.25"},
        {"InvoiceNo": "500001", "Quantity": "-5", "UnitPrice": "1.25"},
    ),
    "coded_missing": (),
}
