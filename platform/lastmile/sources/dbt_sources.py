"""The tables of followed databases as tables of a dbt source: rows as they are now, each change, and rows as sent.

What a database wrote may have columns that no contract knows: the JSON of a row is personal as a whole, and its key
where a column of the contract's key is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.sources.changes.tables import HISTORY, IMAGES, OF_ROW
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.declarations.source import Source
from lastmile.warehouse.dbt.sources import column_of

Table = dict[str, Any]
_AS_SENT = ("before", "after", "image")
_KEYS = ("_key", "key")
_CONSTRAINTS = (" PRIMARY KEY", " NOT NULL")


def change_sources(sources: Mapping[str, Source], contracts: Mapping[str, Contract]) -> list[Table]:
    """Of all sources of changes."""
    followed = (one for one in sources.values() if isinstance(one, Changes))
    return [
        table
        for one in followed
        for table in tables_of(one.name, one.owner, ["sources", one.name], contract_of(one.dataset, contracts))
    ]


def tables_of(name: str, owner: str, asset_key: list[str], contract: Contract) -> Iterator[Table]:
    """The three tables of what is followed under that name."""
    is_personal = any(contract.metadata(column)["personal"] for column in contract.key)
    declared = [column_of(contract, column) for column in contract.columns]
    for table, key, said, columns in (
        (name, ["_key"], f"{contract.description} As they are now at the source.", OF_ROW),
        (f"{name}_history", ["snapshot", "lsn", "number"], f"Each change of the rows of changes.{name}.", HISTORY),
        (f"{name}_images", ["key"], f"The rows of changes.{name} as their database wrote them, valid or not.", IMAGES),
    ):
        own = [_column(column, *facts[1:], is_personal) for column, facts in columns.items()]
        yield {
            "name": table,
            "description": said,
            "config": {"meta": {"owner": owner, "key": key, "dagster": {"asset_key": asset_key}}},
            "columns": [*declared, *own] if columns is OF_ROW else own,
        }


def _column(name: str, postgres: str, description: str, is_key_personal: bool) -> dict[str, Any]:
    kind = postgres
    for constraint in _CONSTRAINTS:
        kind = kind.partition(constraint)[0]
    is_personal = name in _AS_SENT or (is_key_personal and name in _KEYS)
    meta = {"config": {"meta": {"personal": True}}} if is_personal else {}
    return {"name": name, "data_type": kind, "description": description, **meta}
