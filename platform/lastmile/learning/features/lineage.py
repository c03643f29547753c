"""Which columns of the warehouse are derived from which quantities, read from the SQL of the dbt project itself.

A column measures a quantity where its metadata says so (`measures`, which sources have from their contracts), where it
says what it is `derived_from`, and where its SQL is worked out from columns that measure it. What a filter or a join
lets through is not followed, only what a column's value is made of.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

from lastmile.warehouse.dbt.column_lineage import NotFollowed, relation_name
from lastmile.warehouse.dbt.kept_lineage import kept_origins

#: Column to the quantities it is derived from; of the columns that are derived from none, an empty set.
Measures = dict[str, frozenset[str]]
NOTHING: frozenset[str] = frozenset()


def measures(manifest: Mapping[str, Any]) -> dict[str, Measures]:
    """What the columns of every source, seed and model measure, by its name; `manifest` is dbt's, parsed."""
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")}
    relations = {**manifest["sources"], **models}
    parents = {key: [parent for parent in _parents(node) if parent in relations] for key, node in relations.items()}
    found: dict[str, Measures] = {}
    for key in TopologicalSorter(parents).static_order():
        known = {relation_name(relations[parent]): found[parent] for parent in parents[key]}
        found[key] = _of_relation(relations[key], known)
    return {node["name"]: found[key] for key, node in relations.items()}


def _parents(node: Mapping[str, Any]) -> list[str]:
    return list(node.get("depends_on", {}).get("nodes", []))


def _of_relation(node: Mapping[str, Any], parents: Mapping[str, Measures]) -> Measures:
    declared = {name: _declared(column, parents) for name, column in node["columns"].items()}
    computed = _of_sql(node, parents) if node.get("raw_code") else {}
    return {name: declared.get(name, NOTHING) | computed.get(name, NOTHING) for name in {**declared, **computed}}


def _declared(column: Mapping[str, Any], parents: Mapping[str, Measures]) -> frozenset[str]:
    """`measures` names a quantity; `derived_from` lists quantities, or columns of the model's parents."""
    meta = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
    stated = {meta["measures"]} if meta.get("measures") else set()
    for origin in meta.get("derived_from", []):
        known = [columns[origin] for columns in parents.values() if origin in columns]
        stated |= NOTHING.union(*known) if known else {origin}
    return frozenset(stated)


def _of_sql(node: Mapping[str, Any], parents: Mapping[str, Measures]) -> Measures:
    """By the SQL. Where it cannot be followed, a column that is not its parents' counts as measuring all they do."""
    try:
        followed = kept_origins(node, parents)
    except NotFollowed:
        unchanged = {name: quantities for columns in parents.values() for name, quantities in columns.items()}
        everything = NOTHING.union(*unchanged.values())
        return {name: unchanged.get(name, everything) for name in {**unchanged, **node["columns"]}}
    return {
        name: NOTHING.union(*(parents[table].get(column, NOTHING) for table, column in pairs))
        for name, pairs in followed.items()
    }


def query_measures(query: str, sources: Mapping[str, Measures]) -> Measures:
    """What the columns of a feature set's SQL measure, given the columns of the tables it reads, by table name."""
    plain = re.sub(r"%\((?:start|end)\)s", "current_date", query)
    for name in sources:
        plain = re.sub(rf"\b\w+\.{name}\b", name, plain)
    node = {"name": "query", "raw_code": plain, "columns": {}}
    try:
        followed = kept_origins(node, sources)
    except NotFollowed:
        everything = NOTHING.union(*(quantities for columns in sources.values() for quantities in columns.values()))
        return defaultdict(lambda: everything)
    return {
        name: NOTHING.union(*(sources[table].get(column, NOTHING) for table, column in pairs))
        for name, pairs in followed.items()
    }
