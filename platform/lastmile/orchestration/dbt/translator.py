"""How a dbt model looks as an asset: its key, group, owner, tags, code version, the description of its tests, and which
columns each of its columns is derived from."""

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from lastmile.orchestration.conditions import Condition
from lastmile.orchestration.partitions import overlapping
from lastmile.project import Project

#: The source of tables that follow databases.
FOLLOWED = "changes"
Node = Mapping[str, Any]
Manifest = Mapping[str, Any]


class Translator(DagsterDbtTranslator):
    """Views count as virtual: what changes below a view counts as changed for the tables that read it."""

    def __init__(
        self, manifest: Manifest, conditions: Mapping[str, Condition], partitioned: Container[str] = ()
    ) -> None:
        """`conditions` gives, by unique id of a model, when it is made anew; `partitioned` are made by partition."""
        settings = DagsterDbtTranslatorSettings(
            enable_dbt_views_as_virtual_assets=True,
            enable_duplicate_source_asset_keys=True,  # of a followed database, whose tables come of one asset
        )
        super().__init__(settings)
        self._manifest = manifest
        self._conditions = conditions
        self._partitioned = partitioned

    def get_asset_key(self, dbt_resource_props: Node) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Node) -> str | None:
        group: str | None = dbt_resource_props["config"].get("group")
        return group

    def get_owners(self, dbt_resource_props: Node) -> Sequence[str] | None:
        owner = dbt_resource_props["config"]["meta"].get("owner")
        return [owner] if owner else None

    def get_metadata(self, dbt_resource_props: Node) -> Mapping[str, Any]:
        return {**super().get_metadata(dbt_resource_props), **_source_code(dbt_resource_props)}

    def get_tags(self, dbt_resource_props: Node) -> Mapping[str, str]:
        return {"layer": layer(dbt_resource_props), **super().get_tags(dbt_resource_props)}

    def get_code_version(self, dbt_resource_props: Node) -> str:
        return code_version(self._manifest, dbt_resource_props)

    def get_automation_condition(self, dbt_resource_props: Node) -> Condition | None:
        return self._conditions.get(dbt_resource_props["unique_id"])

    def get_partition_mapping(
        self, dbt_resource_props: Node, dbt_parent_resource_props: Node
    ) -> dg.PartitionMapping | None:
        """Sources, which are datasets and windows, have partitions; they need not be those of the model. Followed
        databases have none."""
        parent = dbt_parent_resource_props
        is_source = parent["resource_type"] == "source" and parent["source_name"] != FOLLOWED
        has_partitions = is_source or parent["unique_id"] in self._partitioned
        return overlapping() if has_partitions and dbt_resource_props["unique_id"] in self._partitioned else None

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Manifest, unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """dagster-dbt takes a check's description from the test's `meta`; ours have one of their own."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=manifest["nodes"][unique_id]["description"] or None)


def asset_key(model: Node) -> dg.AssetKey:
    return dg.AssetKey([layer(model), model["name"]])


def layer(node: Node) -> str:
    """The folder it lies in: `staging`, `intermediate` or `marts` of the models, or `snapshots` or `seeds`."""
    first, second, *_ = Path(node["original_file_path"]).parts
    return second if first == "models" else first


def _source_code(node: Node) -> Mapping[str, Any]:
    """The file of the project that a model is written in, for the UI to open."""
    file = Project.current().dbt_project / node["original_file_path"]
    reference = dg.LocalFileCodeReference(file_path=str(file), label=node["original_file_path"])
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def code_version(manifest: Manifest, node: Node) -> str:
    """Changes with the model's SQL or the seed's rows, with the project's macros in it, and the columns it promises."""
    columns = [(name, column["data_type"]) for name, column in node["columns"].items()]
    content = node["checksum"]["checksum"] if node["resource_type"] == "seed" else node.get("raw_code", "")
    parts = [content, *sorted(_macros(manifest, node)), repr(columns)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _macros(manifest: Manifest, node: Node) -> Iterator[str]:
    for name in node.get("depends_on", {}).get("macros", []):
        macro = manifest["macros"][name]
        if macro["package_name"] == manifest["metadata"]["project_name"]:
            yield macro["macro_sql"]
            yield from _macros(manifest, macro)


def column_lineage(manifest: Manifest, unique_id: str) -> Mapping[str, Any]:
    """Metadata that names the columns of a model's parents; empty where its SQL cannot be followed, and of a seed."""
    from lastmile.warehouse.dbt.column_lineage import NotFollowed, relation_name
    from lastmile.warehouse.dbt.kept_lineage import kept_origins

    relations = {**manifest["nodes"], **manifest["sources"]}
    node = relations[unique_id]
    if node["resource_type"] == "seed":
        return {}
    parents = {relation_name(relations[parent]): relations[parent] for parent in node["depends_on"]["nodes"]}
    try:
        followed = kept_origins(node, {name: parent["columns"] for name, parent in parents.items()})
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
