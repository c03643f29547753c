"""The contracts as dbt sources, so that SQL reads what ingestion loads and nothing is declared twice; and what streams
and followed databases bring.

The platform runs dbt on a copy whose sources follow the contracts, so a new contract is a new source without another
edit. The file committed to the project is for people and editors: `lastmile dbt-sources` writes it.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lastmile.contracts.contract import Contract
from lastmile.warehouse.provenance import PROVENANCE

SOURCE = "raw"
SOURCES = Path("models", "staging", "_sources.yml")
HEADER = "# Written by `lastmile dbt-sources` from the contracts; edit those instead.\n"


Tables = Sequence[Mapping[str, Any]]
#: Tables by schema, of which each is a source by its name.
Brought = Mapping[str, Tables]
NONE: Brought = MappingProxyType({})
_SCHEMAS = {
    "windows": "What streams make of their events.",
    "changes": "Rows of databases that are followed, as they are now, and each change of them.",
}


def sources_yaml(contracts: Mapping[str, Contract], more: Tables = (), brought: Brought = NONE) -> str:
    """A dbt properties file with a source, `raw`, and a table per contract, in order of their names, then `more`; and
    a source for each schema of what is `brought`."""
    import yaml

    source = {
        "name": SOURCE,
        "schema": SOURCE,
        "description": "Rows that conform to their contract, as ingestion loaded them.",
        "tables": [*(_table(contracts[name]) for name in sorted(contracts)), *more],
    }
    others = [
        {"name": schema, "schema": schema, "description": _SCHEMAS[schema], "tables": list(tables)}
        for schema, tables in brought.items()
        if tables
    ]
    sources = [source, *others]
    text = yaml.dump({"sources": sources}, Dumper=yaml.CSafeDumper, sort_keys=False, width=120, allow_unicode=True)
    return HEADER + str(text)


def committed_tables(contracts: Mapping[str, Contract], project: Path) -> list[Mapping[str, Any]]:
    """Of datasets whose contract cannot be used at present, what the project's file of sources says: the models that
    read them parse all the same, and so do all others."""
    import yaml

    absent = {name for one in getattr(contracts, "broken", ()) for name in one.names} - set(contracts)
    file = project / SOURCES
    if not absent or not file.exists():
        return []
    try:
        sources = (yaml.safe_load(file.read_text()) or {}).get("sources", [])
        raw = [source for source in sources if source["name"] == SOURCE]
        return [table for source in raw for table in source["tables"] if table["name"] in absent]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):  # not as we write it: dbt will say so
        return []


def are_current(contracts: Mapping[str, Contract], project: Path, brought: Brought = NONE) -> bool:
    """Whether the project's file of sources is what the contracts and what is brought give."""
    file = project / SOURCES
    return file.exists() and file.read_text() == sources_yaml(contracts, brought=brought)


def write_sources(contracts: Mapping[str, Contract], project: Path, brought: Brought = NONE) -> Path:
    """Write the project's file of sources, whole or not at all. Raises OSError where it cannot be written."""
    file = project / SOURCES
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}", delete=False) as partial:
        partial.write(sources_yaml(contracts, brought=brought))
    written = Path(partial.name)
    written.chmod(0o644)
    return written.replace(file)


def _table(contract: Contract) -> dict[str, Any]:
    meta = {"owner": contract.owner, **contract.tags, "dagster": {"asset_key": ["cleaned", contract.name]}}
    return {
        "name": contract.name,
        "description": contract.description,
        "config": {"meta": meta, **_freshness(contract.arrival.expected_every)},
        "columns": [column_of(contract, name) for name in contract.columns]
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


def column_of(contract: Contract, name: str) -> dict[str, Any]:
    """A column as its contract declares it."""
    spec, extra = contract.columns[name], contract.metadata(name)
    facts = {fact: said for fact, said in (("unit", extra["unit"]), ("measures", extra["measures"])) if said}
    meta = facts | ({"personal": True} if extra["personal"] else {})
    unit = f" Unit: {extra['unit']}." if extra["unit"] else ""
    return {
        "name": name,
        "data_type": contract.kinds[name].postgres,
        "description": f"{spec.description}{unit}",
        **({"config": {"meta": meta}} if meta else {}),
    }
