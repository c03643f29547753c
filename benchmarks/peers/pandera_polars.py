# /// script
# dependencies = ["pandera[polars]>=0.24", "polars>=1.30"]
# ///
"""pandera's own lazy validation of a polars frame: all rules, all rows, every failure with its row.

Its coercion of a polars frame fails for all rows where one cell does not fit. So cells are cast before, and one that
does not fit is found as the value that is missing then; this survey misses none where it should not.
"""

import json
import sys
from datetime import date
from pathlib import Path

import pandera.polars as pa
import polars as pl
from timing import work

CSV, RULES = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())


def checks(rule: dict) -> list[pa.Check]:
    bound = date.fromisoformat if rule["type"] == "Date" else lambda value: value
    made = {
        "at_least": lambda low: pa.Check.ge(bound(low)),
        "at_most": lambda high: pa.Check.le(bound(high)),
        "allowed": pa.Check.isin,
        "matches": pa.Check.str_matches,
    }
    return [make(rule[name]) for name, make in made.items() if rule.get(name) is not None]


def dtype(rule: dict) -> pl.DataType:
    return pl.Datetime("us", "UTC") if rule["type"] == "Datetime" else getattr(pl, rule["type"])


columns = {
    name: pa.Column(dtype(rule), checks(rule), nullable=not rule["required"] and rule["type"] == "String")
    for name, rule in RULES.items()
}
schema = pa.DataFrameSchema(columns)
casts = {
    "Boolean": lambda cell: cell.replace_strict({"yes": True, "no": False}, default=None, return_dtype=pl.Boolean),
    "Date": lambda cell: cell.str.to_date(strict=False),
    "Datetime": lambda cell: cell.str.to_datetime(time_unit="us", time_zone="UTC", strict=False),
    "Float64": lambda cell: cell.cast(pl.Float64, strict=False),
    "Int64": lambda cell: cell.cast(pl.Int64, strict=False),
    "String": lambda cell: pl.when(cell != "").then(cell),
}

with work() as said:
    frame = pl.read_csv(CSV, infer_schema=False)
    typed = frame.with_columns(casts[rule["type"]](pl.col(name)) for name, rule in RULES.items())
    try:
        schema.validate(typed, lazy=True)
        said["bad"] = 0
    except pa.errors.SchemaErrors as found:
        said["bad"] = found.failure_cases["index"].n_unique()
