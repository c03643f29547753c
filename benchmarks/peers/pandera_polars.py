# /// script
# dependencies = ["pandera[polars]>=0.24", "polars>=1.30"]
# ///
"""pandera's own lazy validation of a polars frame: all rules, all rows, every failure with its row."""

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


columns = {name: pa.Column(dtype(rule), checks(rule), nullable=not rule["required"]) for name, rule in RULES.items()}
schema = pa.DataFrameSchema(columns, coerce=True)

with work() as said:
    frame = pl.read_csv(CSV, infer_schema=False).with_columns(
        pl.col("owns_land") == "yes", pl.col("uploaded_at").str.to_datetime(time_zone="UTC", strict=False)
    )
    try:
        schema.validate(frame, lazy=True)
        said["bad"] = 0
    except pa.errors.SchemaErrors as found:
        said["bad"] = found.failure_cases["index"].n_unique()
