"""Where columns come from, kept in the home: following the SQL of a model costs 50 CPU-ms in each run that makes it."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from lastmile.settings import Settings
from lastmile.warehouse.dbt.column_lineage import NotFollowed, origins


def kept_origins(node: Mapping[str, Any], parents: Mapping[str, Iterable[str]]) -> dict[str, list[tuple[str, str]]]:
    """As `origins`, which depends on nothing but the SQL and the columns of what it reads. Raises NotFollowed."""
    of = {name: sorted(columns) for name, columns in sorted(parents.items())}
    digest = hashlib.sha256(json.dumps([node["raw_code"], of]).encode()).hexdigest()
    file = Settings.from_environment().home / "dbt" / "lineage" / f"{digest[:32]}.json"
    if not file.is_file():
        try:
            found: dict[str, list[tuple[str, str]]] | None = origins(node, parents)
        except NotFollowed:
            found = None
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(found))
        part.replace(file)
    kept = json.loads(file.read_text())
    if kept is None:
        raise NotFollowed(node["name"])
    return {name: [(table, column) for table, column in pairs] for name, pairs in kept.items()}
