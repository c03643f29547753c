# /// script
# dependencies = ["great_expectations>=1.5", "pandas>=2"]
# ///
"""Great Expectations on a pandas frame: one expectation for each rule, results with the rows that failed."""

import json
import os
import sys
from pathlib import Path

os.environ["GX_ANALYTICS_ENABLED"] = "false"
import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from timing import work

CSV, RULES = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())


def expectations(column: str, rule: dict) -> list:
    low, high = rule.get("at_least"), rule.get("at_most")
    made = []
    if rule["required"]:
        made.append(gxe.ExpectColumnValuesToNotBeNull(column=column))
    if rule["type"] in ("Float64", "Int64"):
        made.append(gxe.ExpectColumnValuesToNotBeNull(column=f"{column} as number"))
    if low is not None or high is not None:
        shown = column if rule["type"] == "Date" else f"{column} as number"
        made.append(gxe.ExpectColumnValuesToBeBetween(column=shown, min_value=low, max_value=high))
    if rule.get("allowed"):
        made.append(gxe.ExpectColumnValuesToBeInSet(column=column, value_set=rule["allowed"]))
    if rule.get("matches"):
        made.append(gxe.ExpectColumnValuesToMatchRegex(column=column, regex=rule["matches"]))
    return made


with work() as said:
    frame = pd.read_csv(CSV, dtype=str)
    for name, rule in RULES.items():
        if rule["type"] in ("Float64", "Int64"):
            frame[f"{name} as number"] = pd.to_numeric(frame[name], errors="coerce")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("survey")
    suite = gx.ExpectationSuite(
        name="survey", expectations=[each for name, rule in RULES.items() for each in expectations(name, rule)]
    )
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    results = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    bad: set[int] = set()
    for result in results.results:
        bad.update(result.result.get("unexpected_index_list") or [])
    said["bad"] = len(bad)
