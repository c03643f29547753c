"""The tables of streams as tables of dbt sources, so that SQL reads them and nothing is declared twice."""

from collections.abc import Mapping, Sequence
from typing import Any

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.sources.dbt_sources import tables_of
from lastmile.streaming.declarations.columns import postgres_type
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.joins.pairs import Pairs
from lastmile.streaming.operators import windows_of

_OWN = {
    "window_start": "From when on events are in it.",
    "window_end": "From when on they no longer are.",
    "is_final": "Whether no event on time can change it.",
}


def window_sources(streams: Mapping[str, Stream], contracts: Mapping[str, Contract]) -> list[dict[str, Any]]:
    """Of all windows and joins, in the order of their names."""
    found = []
    for stream in streams.values():
        contract = contract_of(stream.contract, contracts)
        for one in windows_of(stream, contract):
            types = {name: postgres_type(dtype) for name, dtype in one.table.types.items()}
            types |= dict.fromkeys(one.table.shown, "double precision") | {"is_final": "boolean"}
            key = [*one.table.keys, one.table.found_by]
            found.append(_table(stream, one.window.name, one.window.description, types, contract, key))
        for join in stream.joins:
            if join.stream not in streams:
                continue
            other = streams[join.stream]
            pairs = Pairs(join, stream.schema(contract), other.schema(contract_of(other.contract, contracts)))
            of_both = pairs.types("ours") | pairs.types("theirs")
            types = {name: postgres_type(of_both[name]) for name in pairs.columns}
            found.append(_table(stream, join.name, join.description, types, contract, join.keys))
    return sorted(found, key=lambda table: str(table["name"]))


def row_change_sources(streams: Mapping[str, Stream], contracts: Mapping[str, Contract]) -> list[dict[str, Any]]:
    """Of all streams of changes of rows."""
    return [
        table
        for one in streams.values()
        if one.has_row_changes
        for table in tables_of(one.name, one.owner, ["streams", one.name], contract_of(one.contract, contracts))
    ]


def _table(
    stream: Stream, name: str, description: str, types: Mapping[str, str], contract: Contract, key: Sequence[str]
) -> dict[str, Any]:
    personal = {column for column in contract.columns if contract.metadata(column)["personal"]}
    return {
        "name": name,
        "description": description or f"Of stream {stream.name}.",
        "config": {"meta": {"owner": stream.owner, "key": list(key), "dagster": {"asset_key": ["windows", name]}}},
        "columns": [
            {
                "name": column,
                "data_type": kind.removesuffix(' COLLATE "C"'),
                "description": _OWN.get(column, ""),
                **({"config": {"meta": {"personal": True}}} if column in personal else {}),
            }
            for column, kind in types.items()
        ],
    }
