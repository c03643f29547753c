# /// script
# dependencies = ["pandera[pandas]>=0.24", "pandas>=2"]
# ///
"""pandera's own lazy validation of a pandas frame: all rules, all rows, every failure with its row."""

import json
import sys
from pathlib import Path

import pandas as pd
import pandera.pandas as pa
from timing import work

CSV, RULES = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
TYPES = {
    "String": "str",
    "Float64": "float64",
    "Int64": "Int64",
    "Boolean": "boolean",
    "Date": "datetime64[us]",
    "Datetime": "datetime64[us, UTC]",
}


def checks(rule: dict) -> list[pa.Check]:
    bound = pd.Timestamp if rule["type"] == "Date" else lambda value: value
    made = {
        "at_least": lambda low: pa.Check.ge(bound(low)),
        "at_most": lambda high: pa.Check.le(bound(high)),
        "allowed": pa.Check.isin,
        "matches": pa.Check.str_matches,
    }
    return [make(rule[name]) for name, make in made.items() if rule.get(name) is not None]


columns = {
    name: pa.Column(TYPES[rule["type"]], checks(rule), nullable=not rule["required"]) for name, rule in RULES.items()
}
schema = pa.DataFrameSchema(columns, coerce=True)

with work() as said:
    frame = pd.read_csv(CSV, dtype=str)
    frame["owns_land"] = frame["owns_land"].map({"yes": True, "no": False})
    try:
        schema.validate(frame, lazy=True)
        said["bad"] = 0
    except pa.errors.SchemaErrors as found:
        said["bad"] = found.failure_cases["index"].nunique()
