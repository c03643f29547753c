"""The dbt project as assets, in sets by how they run.

Views on what the intake loaded are made once. Tables by partition are made for the partitions of a run, all in one go:
the range becomes dbt's window. Snapshots keep what rows were before they changed, so they are never made anew, only
continued. Tables of all partitions are made whole, because a survey that arrives later can change the verdict on
others.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from lastmile.contracts.contract import Contract
from lastmile.contracts.partition import Partition
from lastmile.orchestration.conditions import (
    Condition,
    when_any_partition_changed,
    when_partitions_change,
    when_views_are_out_of_date,
)
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.orchestration.dbt.build import POOL, build
from lastmile.orchestration.dbt.project import project_folder
from lastmile.orchestration.dbt.translator import Manifest, Translator, asset_key
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.resources import Platform
from lastmile.warehouse.dbt.project import DBT, MANIFEST


def dbt_resource(contracts: Mapping[str, Contract]) -> DbtCommand:
    """dbt in the project that `warehouse_assets` are made from."""
    folder = str(project_folder(contracts))
    return DbtCommand(project_dir=folder, profiles_dir=folder, dbt_executable=str(DBT))


def warehouse_assets(contracts: Mapping[str, Contract]) -> list[dg.AssetsDefinition]:
    """Every model of the dbt project as an asset, and every data test as a check of one."""
    folder = project_folder(contracts)
    manifest = json.loads((folder / MANIFEST).read_text())
    views, snapshots, tables = (_materialized(manifest, kind) for kind in ("view", "snapshot", "table"))
    partitioned = _by_partition(manifest, contracts)
    translator = Translator(manifest, _conditions(manifest, views, [*snapshots, *tables], list(partitioned.values())))
    return [
        _view_assets(manifest, translator, views),
        *(_partition_assets(manifest, translator, names, partition) for partition, names in partitioned.items()),
        *([_whole_assets(manifest, translator, snapshots, "warehouse_snapshots")] if snapshots else []),
        _whole_assets(manifest, translator, tables, "warehouse_tables"),
    ]


def _materialized(manifest: Manifest, kind: str) -> list[str]:
    """Unique ids of the models and snapshots that become a `view`, `table`, `incremental` or `snapshot`."""
    nodes = manifest["nodes"].items()
    return [
        name
        for name, node in nodes
        if node["resource_type"] in ("model", "snapshot") and node["config"]["materialized"] == kind
    ]


def _view_assets(manifest: Manifest, translator: Translator, names: Sequence[str]) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select=_selection(names),
        name="warehouse_views",
        dagster_dbt_translator=translator,
        pool=POOL,
    )
    def views(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform) -> Iterator[Any]:
        from lastmile.warehouse.tables import ensure_table

        with platform.connect() as connection:
            for contract in platform.contracts().values():
                ensure_table(connection, contract)
        yield from build(context, dbt, platform)

    return views


def _partition_assets(
    manifest: Manifest, translator: Translator, names: Sequence[str], partition: Partition
) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select=_selection(names),
        name=f"warehouse_by_{partition.unit}_from_{partition.start_key().replace('-', '_')}",
        dagster_dbt_translator=translator,
        partitions_def=partitions_of(partition),
        backfill_policy=in_few_runs(),
        pool=POOL,
    )
    def partitions(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform) -> Iterator[Any]:
        window = context.partition_time_window
        start, end = window.start.date().isoformat(), window.end.date().isoformat()
        yield from build(context, dbt, platform, "--event-time-start", start, "--event-time-end", end)

    return partitions


def _whole_assets(
    manifest: Manifest, translator: Translator, names: Sequence[str], set_name: str
) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select=_selection(names),
        name=set_name,
        dagster_dbt_translator=translator,
        pool=POOL,
    )
    def whole(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform) -> Iterator[Any]:
        yield from build(context, dbt, platform)

    return whole


def _selection(names: Sequence[str]) -> str:
    return " ".join(name.rsplit(".", 1)[-1] for name in names)


def _by_partition(manifest: Manifest, contracts: Mapping[str, Contract]) -> dict[Partition, list[str]]:
    """The incremental models by the partitions of the datasets they read. Raises ValueError where those differ."""
    found = defaultdict(list)
    for name in _materialized(manifest, "incremental"):
        datasets = sorted(manifest["sources"][source]["name"] for source in _upstream(manifest, name, "source"))
        shapes = {contracts[dataset].partition for dataset in datasets}
        if len(shapes) != 1:
            raise ValueError(f"{name} reads {datasets}, which must have the same partitions to be made by partition")
        found[shapes.pop()].append(name)
    return dict(found)


def _conditions(
    manifest: Manifest, views: Sequence[str], whole: Sequence[str], partitioned: Sequence[Sequence[str]]
) -> dict[str, Condition]:
    """When each model and snapshot is made, by its unique id."""

    def keys(names: Iterable[str]) -> list[dg.AssetKey]:
        return [asset_key(manifest["nodes"][name]) for name in sorted(names)]

    conditions = dict.fromkeys(views, when_views_are_out_of_date())
    for names in partitioned:
        read = {view for name in names for view in _upstream(manifest, name, "model") if view in views}
        below = {*names, *(model for name in names for model in _upstream(manifest, name, "model"))}
        of_all = [table for table in whole if below.intersection(manifest["parent_map"].get(table, []))]
        conditions |= dict.fromkeys(names, when_partitions_change(keys(read), keys(of_all)))
    for table in whole:
        below = set(_upstream(manifest, table, "model"))
        made_along = {name for names in partitioned if below & set(names) for name in names}
        conditions[table] = when_any_partition_changed(keys(made_along))
    return conditions


def _upstream(manifest: Manifest, name: str, kind: str) -> Iterator[str]:
    """Unique ids of everything of a kind that a node is made from, however far up."""
    for parent in manifest["parent_map"].get(name, []):
        if parent.startswith(f"{kind}."):
            yield parent
        yield from _upstream(manifest, parent, kind)
