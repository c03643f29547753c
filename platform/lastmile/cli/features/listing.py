"""`lastmile features list`: each feature set, what it is about and what is to be learned from it."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from lastmile.cli.options import AsJson


def overview(as_json: AsJson = False) -> None:
    """Show the feature sets with their partitions so far.

    Example: lastmile features list
    """
    from lastmile.learning.features.reading import feature_sets

    found: list[dict[str, Any]] = [
        {
            "name": name,
            "entity": list(known.features.entity),
            "inputs": len(known.features.inputs),
            "targets": list(known.features.targets),
            "partitions": known.partitions,
            "table": known.features.table,
        }
        for name, known in feature_sets().items()
    ]
    if as_json:
        print(json.dumps(found))
        return
    table = Table("feature set", "a row for each", "inputs", "targets", "partitions", "table", box=None)
    for one in found:
        made = one["partitions"]
        count = f"{len(made)}, {made[0]} to {made[-1]}" if made else "none yet"
        entity, targets = ", ".join(one["entity"]), ", ".join(one["targets"])
        table.add_row(one["name"], entity, str(one["inputs"]), targets, count, one["table"])
    Console().print(table)
