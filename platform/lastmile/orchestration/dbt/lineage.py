"""Which columns each column of a model is worked out from, as Dagster shows it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from lastmile.orchestration.dbt.translator import Manifest, Node, asset_key


def column_lineage(manifest: Manifest, unique_id: str) -> Mapping[str, Any]:
    """Metadata that names the columns of its parents; nothing where the model's SQL cannot be followed."""
    from lastmile.warehouse.dbt.column_lineage import NotFollowed, origins, relation_name

    relations = {**manifest["nodes"], **manifest["sources"]}
    node = relations[unique_id]
    parents = {relation_name(relations[parent]): relations[parent] for parent in node["depends_on"]["nodes"]}
    try:
        followed = origins(node, {name: parent["columns"] for name, parent in parents.items()})
    except NotFollowed:
        return {}
    keys = {name: _key(parent) for name, parent in parents.items()}
    deps = {
        column: [dg.TableColumnDep(keys[relation], name) for relation, name in dict.fromkeys(pairs)]
        for column, pairs in followed.items()
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def _key(node: Node) -> dg.AssetKey:
    return dg.AssetKey(node["meta"]["dagster"]["asset_key"]) if node["resource_type"] == "source" else asset_key(node)
