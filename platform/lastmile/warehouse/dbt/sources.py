"""The contracts as dbt sources, so that SQL reads what the intake loads and nothing is declared twice.

`write_sources` keeps the file in the dbt project up to date: a new contract is a new source without another edit.
"""

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from lastmile.contracts.contract import Contract
from lastmile.warehouse.provenance import PROVENANCE
from lastmile.warehouse.tables import postgres_type

SOURCE = "raw"
HEADER = "# Made from the contracts each time the code location loads; edit those instead.\n"


def sources_yaml(contracts: Mapping[str, Contract]) -> str:
    """A dbt properties file with one source, `raw`, and a table per contract, in order of their names."""
    import yaml

    source = {
        "name": SOURCE,
        "schema": SOURCE,
        "description": "Rows that kept their contract, as the intake loaded them.",
        "tables": [_table(contracts[name]) for name in sorted(contracts)],
    }
    text = yaml.dump({"sources": [source]}, Dumper=yaml.CSafeDumper, sort_keys=False, width=120, allow_unicode=True)
    return HEADER + str(text)


def write_sources(contracts: Mapping[str, Contract], path: Path) -> bool:
    """Write the file if it differs from the contracts, whole or not at all; whether it did."""
    text = sources_yaml(contracts)
    if path.exists() and path.read_text() == text:
        return False
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}", delete=False) as file:
        file.write(text)
    written = Path(file.name)
    written.chmod(0o644)
    written.replace(path)
    return True


def _table(contract: Contract) -> dict[str, Any]:
    meta = {"owner": contract.owner, **contract.tags, "dagster": {"asset_key": ["cleaned", contract.name]}}
    return {
        "name": contract.name,
        "description": contract.description,
        "config": {"meta": meta, **_freshness(contract.expected_every)},
        "columns": [_column(contract, name) for name in contract.columns]
        + [
            {"name": name, "data_type": column.postgres.removesuffix(" NOT NULL"), "description": column.description}
            for name, column in PROVENANCE.items()
        ],
    }


def _freshness(expected_every: timedelta | None) -> dict[str, Any]:
    if expected_every is None:
        return {}
    minutes = round(expected_every.total_seconds() / 60)
    count, period = (minutes // 1440, "day") if minutes % 1440 == 0 else (minutes, "minute")
    return {"loaded_at_field": "_loaded_at", "freshness": {"warn_after": {"count": count, "period": period}}}


def _column(contract: Contract, name: str) -> dict[str, Any]:
    spec, extra = contract.columns[name], contract.metadata(name)
    facts = {fact: extra[fact] for fact in ("unit", "measures") if extra[fact]}
    meta = facts | ({"personal": True} if extra["personal"] else {})
    unit = f" Unit: {extra['unit']}." if extra["unit"] else ""
    return {
        "name": name,
        "data_type": postgres_type(spec.dtype.type),
        "description": f"{spec.description}{unit}",
        **({"config": {"meta": meta}} if meta else {}),
    }
