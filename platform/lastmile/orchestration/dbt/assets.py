"""The dbt project as assets, in sets by how they run.

Seeds, the CSVs of the project, and views on what ingestion loaded are made once. Tables by partition are made for the
partitions of a run, all in one go: the range becomes dbt's window. Tables of all partitions are made whole, because a
survey that arrives later can change the verdict on others; with them snapshots, which keep what rows were before they
changed, so they are never made anew, only continued. The documentation is one page about all of them.
"""

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_dbt import DagsterDbtCliRuntimeError, DbtCliInvocation, dbt_assets

from lastmile.contracts.broken import Broken
from lastmile.contracts.contract import Contract
from lastmile.contracts.partition import Partition, common
from lastmile.orchestration.chain import OWN_RUN
from lastmile.orchestration.conditions import (
    Condition,
    when_any_partition_changed,
    when_made_from_new_code,
    when_partitions_change,
    when_views_are_out_of_date,
)
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.orchestration.dbt.project import project_folder
from lastmile.orchestration.dbt.traced import record_node
from lastmile.orchestration.dbt.translator import Manifest, Translator, asset_key, column_lineage
from lastmile.orchestration.dbt.unusable import (
    MATERIALIZED,
    broken_model,
    unusable_models,
    upstream,
    with_descendants,
)
from lastmile.orchestration.drops.metadata import digest
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.telemetry.spans import span
from lastmile.warehouse.dbt.artifacts import DOCUMENTATION
from lastmile.warehouse.dbt.project import MANIFEST

if TYPE_CHECKING:
    from psycopg import Connection

DOCUMENTATION_KEY = dg.AssetKey(["reports", "dbt"])

#: No file of logs, and no colours: messages end up in web pages.
_QUIETLY = ("--log-level-file", "none", "--no-use-colors")


def usable_warehouse(contracts: Mapping[str, Contract], folder: Path) -> tuple[list[dg.AssetsDefinition], list[Broken]]:
    """The warehouse without the models that cannot be assets, and what is made from those; and what is wrong."""
    manifest = _manifest(contracts, folder)
    faults = unusable_models(manifest, contracts)
    try:
        made = warehouse_assets(contracts, folder, with_descendants(manifest, faults))
    except Exception:
        faults |= _refused_alone(contracts, folder, manifest, faults)
        made = warehouse_assets(contracts, folder, with_descendants(manifest, faults))
    return made, [broken_model(manifest, name, why) for name, why in faults.items()]


def _refused_alone(
    contracts: Mapping[str, Contract], folder: Path, manifest: Manifest, faults: Mapping[str, str]
) -> dict[str, str]:
    """Models of which Dagster makes no asset even by themselves, and its reason."""
    names = [name for kind in MATERIALIZED for name in _materialized(manifest, kind) if name not in faults]
    found = {}
    for name in names:
        try:
            warehouse_assets(contracts, folder, [other for other in (*names, *faults) if other != name])
        except Exception as error:
            found[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return found


def warehouse_assets(
    contracts: Mapping[str, Contract], folder: Path | None = None, without: Collection[str] = ()
) -> list[dg.AssetsDefinition]:
    """Every model of the dbt project as an asset, and every data test as a check of one; `without` some models."""
    manifest = _manifest(contracts, folder)
    seeds, views, snapshots, tables = (
        [name for name in _materialized(manifest, kind) if name not in without]
        for kind in ("seed", "view", "snapshot", "table")
    )
    partitioned = _by_partition(manifest, contracts, without)
    conditions = _conditions(manifest, [*seeds, *views], [*snapshots, *tables], list(partitioned.values()))
    translator = Translator(manifest, conditions, {name for names in partitioned.values() for name in names})

    def assets_of(names: Sequence[str], set_name: str, partition: Partition | None = None) -> dg.AssetsDefinition:
        reads_sources = any(parent.startswith("source.") for name in names for parent in manifest["parent_map"][name])

        @dbt_assets(
            manifest=manifest,
            select=" ".join(name.rsplit(".", 1)[-1] for name in names),
            name=f"warehouse_{set_name}",
            dagster_dbt_translator=translator,
            partitions_def=partitions_of(partition) if partition else None,
            backfill_policy=in_few_runs() if partition else None,
            pool=WAREHOUSE,
        )
        def models(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform) -> Iterator[Any]:
            if reads_sources:
                _ensure_sources(platform)
            yield from _build(context, dbt, platform, *(_window(context) if partition else ()))

        return models

    return [
        *([assets_of(seeds, "seeds")] if seeds else []),
        *([assets_of(views, "views")] if views else []),
        *(assets_of(names, _by(partition), partition) for partition, names in partitioned.items()),
        *([assets_of(whole, "tables")] if (whole := [*snapshots, *tables]) else []),
    ]


def documentation_asset(described: Sequence[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """One page about all of `described`, whose code is its own; kept in the store, and answered by the API at /dbt.

    It depends on the last of the marts only, which whatever changes below them makes anew: an edge from every model
    would hide all others in the graph.
    """
    specs = sorted((spec for assets in described for spec in assets.specs), key=lambda spec: spec.key)
    read = {dep.asset_key for spec in specs for dep in spec.deps}
    last = [spec.key for spec in specs if spec.tags.get("layer") == "marts" and spec.key not in read]

    @dg.asset(
        key=DOCUMENTATION_KEY,
        description="Documentation of the warehouse: models, columns, tests, SQL, lineage, exposures, metrics.",
        deps=last,
        code_version=digest(f"{spec.key.to_user_string()} {spec.code_version}" for spec in specs),
        automation_condition=when_made_from_new_code(dg.AssetSelection.tag("layer", "marts")),
        group_name="reports",
        tags=OWN_RUN,
        owners=["team:analytics"],
        kinds={"dbt", "html"},
        pool=WAREHOUSE,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
    )
    def dbt_documentation(dbt: DbtCommand, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        store = platform.store()
        with _connected(platform), _target() as folder:
            dbt.cli([*_QUIETLY, "docs", "generate", "--static"], target_path=folder).wait()
            store.put(DOCUMENTATION, folder / "static_index.html")
        url = dg.MetadataValue.url(f"{store.url}/{DOCUMENTATION}")
        return dg.MaterializeResult(metadata={"documentation": url, "in the API": dg.MetadataValue.path("/dbt")})

    return dbt_documentation


def _build(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform, *options: str) -> Iterator[Any]:
    """Make and test the models of this run; unit tests are left to the test suite.

    dbt's working files go to a folder of the run's own, gone afterwards. Raises dagster-dbt's error where a model or a
    test of severity `error` fails, and requests a retry where the database went away meanwhile. What production was
    built from is kept, for changes to be compared with.
    """
    from lastmile.warehouse.dbt.artifacts import publish_manifest

    # What is built is known from its events: the manifest and the results as files would be a second's work.
    command = [*_QUIETLY, "--no-write-json", "build", "--exclude-resource-type", "unit_test", *options]
    with _connected(platform) as connection, _target() as folder:
        try:
            with span("dbt.command", command="build", options=" ".join(options)):
                yield from _stream(dbt.cli(command, context=context, target_path=folder), context, platform)
        except DagsterDbtCliRuntimeError as error:
            if _is_cut(connection):
                raise dg.RetryRequested(max_retries=2, seconds_to_wait=5) from error
            raise
    publish_manifest(platform.store(), Path(dbt.project_dir) / MANIFEST)


def _stream(running: DbtCliInvocation, context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Any]:
    """What dagster-dbt makes of dbt's events, and more: the rows that dbt's own statement reports, so they cost no
    query; the columns each column is derived from; some of the rows that fail a test."""
    for event in running.stream_raw_events():
        record_node(event.raw_event)
        for result in event.to_default_asset_events(
            running.manifest, running.dagster_dbt_translator, context, running.target_path
        ):
            data = event.raw_event["data"]
            if isinstance(result, dg.Output):
                lineage = column_lineage(running.manifest, data["node_info"]["unique_id"])
                yield result.with_metadata({**result.metadata, **_row_count(data["status"], context), **lineage})
            elif isinstance(result, dg.AssetCheckResult) and not result.passed:
                yield _with_failing_rows(result, data["node_info"]["node_relation"], running.manifest, platform)
            else:
                yield result


def _row_count(status: str, context: dg.AssetExecutionContext) -> dict[str, int]:
    """From what the statement that filled the table answered, such as `INSERT 0 634`; none for a view."""
    count = status.split()[-1]
    if not count.isdigit():
        return {}
    partitions = len(context.partition_keys) if context.assets_def.partitions_def else 0
    name = {0: "dagster/row_count", 1: "dagster/partition_row_count"}.get(
        partitions, "rows in all partitions of the run"
    )
    return {name: int(count)}


def _with_failing_rows(
    result: dg.AssetCheckResult, relation: Mapping[str, str], manifest: Manifest, platform: Platform
) -> dg.AssetCheckResult:
    """Some of the rows that a test stored, and where all are; the values of their first column name them in short."""
    from lastmile.warehouse.dbt.failures import failing_rows

    schema, table = relation["schema"], relation["alias"]
    with platform.connect() as connection:
        rows = failing_rows(connection, schema, table, manifest)
    metadata = {**result.metadata, "all failing rows": dg.MetadataValue.md(f"`select * from {schema}.{table}`")}
    if not rows or not rows[0]:
        return result._replace(metadata=metadata)
    metadata["failing rows"] = dg.MetadataValue.table([dg.TableRecord(row) for row in rows])
    description = ", ".join(dict.fromkeys(str(next(iter(row.values()))) for row in rows))
    return result._replace(description=description, metadata=metadata)


def _window(context: dg.AssetExecutionContext) -> Sequence[str]:
    """The partitions of the run as dbt's window, its end not included."""
    window = context.partition_time_window
    return "--event-time-start", window.start.date().isoformat(), "--event-time-end", window.end.date().isoformat()


@contextmanager
def _connected(platform: Platform) -> "Iterator[Connection]":
    """A connection to the database that dbt, when it is started meanwhile, works on as well."""
    from lastmile.warehouse.connections import database_url, libpq_environment

    os.environ.update(libpq_environment(database_url(platform.settings())))
    with platform.connect() as connection:
        yield connection


@contextmanager
def _target() -> Iterator[Path]:
    with TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _ensure_sources(platform: Platform) -> None:
    """Models can be made from datasets of which nothing was ever loaded."""
    from lastmile.warehouse.tables import ensure_table

    with platform.connect() as connection:
        for contract in platform.contracts().values():
            ensure_table(connection, contract)


def _is_cut(connection: "Connection") -> bool:
    from psycopg import OperationalError

    try:
        connection.execute("SELECT")
    except OperationalError:
        return True
    return False


def _manifest(contracts: Mapping[str, Contract], folder: Path | None = None) -> Manifest:
    found: Manifest = json.loads(((folder or project_folder(contracts)) / MANIFEST).read_text())
    return found


def _materialized(manifest: Manifest, kind: str) -> list[str]:
    """Unique ids of what becomes a `seed`, `view`, `table`, `incremental` or `snapshot`."""
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "snapshot", "seed"))
    return [node["unique_id"] for node in nodes if node["config"]["materialized"] == kind]


def _by(partition: Partition) -> str:
    return f"by_{partition.unit}_from_{partition.start_key().replace('-', '_')}"


def _by_partition(
    manifest: Manifest, contracts: Mapping[str, Contract], without: Collection[str]
) -> dict[Partition, list[str]]:
    """The incremental models by the partitions that the datasets they read have in common."""
    found = defaultdict(list)
    for name in _materialized(manifest, "incremental"):
        if name in without:
            continue
        datasets = {manifest["sources"][source]["name"] for source in upstream(manifest, name, "source")}
        found[common(contracts[dataset].partition for dataset in datasets)].append(name)
    return dict(found)


def _conditions(
    manifest: Manifest, once: Sequence[str], whole: Sequence[str], partitioned: Sequence[Sequence[str]]
) -> dict[str, Condition]:
    """When each model, snapshot and seed is made, by its unique id; `once` are the seeds and views."""

    def keys(names: Iterable[str]) -> list[dg.AssetKey]:
        return [asset_key(manifest["nodes"][name]) for name in sorted(names)]

    alone = when_views_are_out_of_date()  # what is made from nothing is made once as well
    conditions = dict.fromkeys(once, alone)
    for names in partitioned:
        read = {view for name in names for view in upstream(manifest, name, "model") if view in once}
        below = {*names, *(model for name in names for model in upstream(manifest, name, "model"))}
        of_all = [table for table in whole if below.intersection(manifest["parent_map"].get(table, []))]
        others = [name for other in partitioned if other is not names for name in other]
        conditions |= dict.fromkeys(names, when_partitions_change(keys(read), keys(of_all), keys(others)))
    for table in whole:
        below = set(upstream(manifest, table, "model"))
        made_along = {name for names in partitioned if below & set(names) for name in names}
        if manifest["parent_map"].get(table):
            seeds = set(upstream(manifest, table, "seed")) if below else ()
            read = {name for names in partitioned for name in names if name in manifest["parent_map"][table]}
            conditions[table] = when_any_partition_changed(keys(made_along), keys(seeds), keys(read))
        else:
            conditions[table] = alone
    return conditions
