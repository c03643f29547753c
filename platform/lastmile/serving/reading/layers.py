"""The layers of data, and which relations of the warehouse belong to each.

A table is looked up in the catalogue, then in pg_catalog: no other name is ever part of a statement.
"""

from collections.abc import Mapping
from typing import Literal

from fastapi import HTTPException
from psycopg import Connection

from lastmile.catalogue import Catalogue
from lastmile.ledger.inventory import drops_of
from lastmile.warehouse.reading import Relation, find

Layer = Literal["raw", "cleaned", "windows", "changes", "intermediate", "marts", "features", "online", "predictions"]
LAYERS: Mapping[Layer, str] = {
    "raw": "the drops of each dataset, as the ledger has them",
    "cleaned": "rows that fulfil their dataset's contract",
    "windows": "what streams make of their events",
    "changes": "rows of followed databases as they are now, each change, and rows as they were sent",
    "intermediate": "what marts are made from",
    "marts": "what reports and features are made from",
    "features": "inputs of models, by entity and partition",
    "online": "the newest features of each entity",
    "predictions": "what models say, with their version",
}


def tables(catalogue: Catalogue, layer: Layer) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Schema and declared key by name, of what is declared."""
    if layer == "raw":
        return dict.fromkeys(catalogue.datasets, ("ledger", ("id",)))
    if layer == "cleaned":
        return {name: ("raw", tuple(one.key)) for name, one in catalogue.datasets.items()}
    if layer == "features":
        sets = catalogue.feature_sets.items()
        return {name: (layer, (one.partition_column, *one.entity)) for name, one in sets}
    if layer == "online":
        return {name: (layer, tuple(one.key)) for name, one in catalogue.feature_sets.items()}
    if layer == "predictions":
        return {name: (layer, _predicted_key(catalogue, one.features)) for name, one in catalogue.models.items()}
    found = [one for one in catalogue.relations.values() if one.db_schema == layer]
    return {one.name: (layer, tuple(one.key)) for one in found}


def _predicted_key(catalogue: Catalogue, features: str) -> tuple[str, ...]:
    known = catalogue.feature_sets.get(features)
    return (known.partition_column, *known.entity) if known else ()


def relation(connection: Connection, catalogue: Catalogue, store: str, layer: Layer, table: str) -> Relation:
    """Raises HTTPException, 404, where the layer has no such table, or it was not made yet."""
    declared = tables(catalogue, layer)
    if table not in declared:
        known = ", ".join(sorted(declared)) or "none yet"
        raise HTTPException(404, f"{layer} has no table {table!r}; it has {known}. See /api/v1/data")
    if layer == "raw":
        return drops_of(connection, store, table)
    schema, key = declared[table]
    found = find(connection, schema, table, key)
    if found is None:
        raise HTTPException(404, f"{layer}/{table} was not made yet: nothing has arrived that it is made from")
    return found
