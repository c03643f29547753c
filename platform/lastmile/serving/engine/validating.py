"""What the contract says of rows, now: the same reader and the same plan that their drop will meet."""

import hashlib
import importlib
import json
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lastmile.contracts import Contract, load_contracts
from lastmile.contracts.casts import NumberFormat
from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan
from lastmile.project import Project
from lastmile.store import HeldFile


def validated(dataset: str, version: str, rows: list[str]) -> list[dict[str, Any]]:
    """For each row its line, whether it is valid, and its violations. `version` is that of the contract published."""
    reasons = _reasons(_contract(dataset, version), "".join(f"{row}\n" for row in rows).encode())
    return [
        {"line": line, "valid": line not in reasons, "violations": reasons.get(line, [])}
        for line in range(1, len(rows) + 1)
    ]


def _reasons(contract: Contract, data: bytes) -> dict[int, list[dict[str, Any]]]:
    with TemporaryDirectory(prefix="lastmile-") as folder:
        held = HeldFile(data, hashlib.sha256(data).hexdigest(), Path(folder) / "rows.jsonl")
        try:
            reader = open_drop(held, "rows.jsonl", contract)
            plan = Plan(contract, reader.header, NumberFormat.of(reader.format))
            bad = [plan.validate(batch).bad for batch in reader.batches()]
        except Refused as refused:
            raise UserError(f"{contract.name}: {refused}") from None
    return {line: json.loads(reasons) for frame in bad for line, _, reasons in frame.iter_rows()}


def _contract(dataset: str, version: str) -> Contract:
    found = _contracts().get(dataset)
    if found is None or found.version != version:  # the declarations have changed since this process read them
        _contracts.cache_clear()
        _forget(Project.current().assets)
        found = _contracts().get(dataset)
    if found is None:
        raise UserError(f"no contract for dataset {dataset!r} in this project")
    return found


@cache
def _contracts() -> dict[str, Contract]:
    return dict(load_contracts(Project.current().assets))


def _forget(package: str) -> None:
    for name in [one for one in sys.modules if one == package or one.startswith(f"{package}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()
