"""Running dbt in an asset: its command line, started once, and what its events tell beyond success.

Row counts are those dbt's own statements report, so they cost no query; a test that fails shows the rows it stored.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_dbt import DagsterDbtCliRuntimeError, DbtCliInvocation

from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.orchestration.dbt.lineage import column_lineage
from lastmile.orchestration.resources import Platform
from lastmile.warehouse.dbt.project import MANIFEST

if TYPE_CHECKING:
    from psycopg import Connection

#: One dbt at a time: two that make a table for the first time would both create it.
POOL = "dbt"
#: Failing rows shown with a check; all of them are stored.
MOST_SHOWN = 20


def build(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform, *options: str) -> Iterator[Any]:
    """Make and test the models of this run; unit tests are left to the test suite.

    dbt's working files go to a folder of the run's own, gone afterwards. Raises dagster-dbt's error where a model or a
    test of severity `error` fails, and asks to be run again where the database went away meanwhile. What production was
    built from is kept, for changes to be compared with.
    """
    from lastmile.warehouse.dbt.artifacts import publish_manifest

    with connected(platform) as witness:
        try:
            yield from _build(context, dbt, platform, *options)
        except DagsterDbtCliRuntimeError as error:
            if _is_cut(witness):
                raise dg.RetryRequested(max_retries=2, seconds_to_wait=5) from error
            raise
    publish_manifest(platform.store(), Path(dbt.project_dir) / MANIFEST)


@contextmanager
def connected(platform: Platform) -> "Iterator[Connection]":
    """A connection to the database that dbt, when it is started meanwhile, works on as well."""
    from lastmile.warehouse.connections import database_url, libpq_environment

    os.environ.update(libpq_environment(database_url(platform.settings())))
    with platform.connect() as connection:
        yield connection


def _is_cut(connection: "Connection") -> bool:
    from psycopg import OperationalError

    try:
        connection.execute("SELECT")
    except OperationalError:
        return True
    return False


def _build(context: dg.AssetExecutionContext, dbt: DbtCommand, platform: Platform, *options: str) -> Iterator[Any]:
    command = ["--log-level-file", "none", "build", "--exclude-resource-type", "unit_test", *options]
    with TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as folder:
        running = dbt.cli(command, context=context, target_path=Path(folder))
        for event in running.stream_raw_events():
            for result in event.to_default_asset_events(
                running.manifest, running.dagster_dbt_translator, context, running.target_path
            ):
                yield _told_more(result, event.raw_event["data"], running, context, platform)


def _told_more(
    result: Any,
    data: Mapping[str, Any],
    running: DbtCliInvocation,
    context: dg.AssetExecutionContext,
    platform: Platform,
) -> Any:
    if isinstance(result, dg.Output):
        lineage = column_lineage(running.manifest, data["node_info"]["unique_id"])
        return result.with_metadata({**result.metadata, **_row_count(data["status"], context), **lineage})
    if isinstance(result, dg.AssetCheckResult) and not result.passed:
        return _with_failing_rows(result, data["node_info"]["node_relation"], running.manifest, platform)
    return result


def _row_count(status: str, context: dg.AssetExecutionContext) -> dict[str, int]:
    """From what the statement that filled the table answered, such as `INSERT 0 634`; none for a view."""
    count = status.split()[-1]
    if not count.isdigit():
        return {}
    partitions = len(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else 0
    name = {0: "dagster/row_count", 1: "dagster/partition_row_count"}.get(
        partitions, "rows in all partitions of the run"
    )
    return {name: int(count)}


def _with_failing_rows(
    result: dg.AssetCheckResult, relation: Mapping[str, str], manifest: Mapping[str, Any], platform: Platform
) -> dg.AssetCheckResult:
    """Some of the rows that a test stored, without personal columns, and where all are.

    The values of the first column say in short which they are.
    """
    from psycopg import sql
    from psycopg.rows import dict_row

    table = sql.Identifier(relation["schema"], relation["alias"])
    with platform.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(sql.SQL("SELECT * FROM {} LIMIT {}").format(table, MOST_SHOWN)).fetchall()
    hidden = _personal_columns(manifest)
    rows = [{name: _shown(value) for name, value in row.items() if name not in hidden} for row in found]
    stored = {"all failing rows": dg.MetadataValue.md(f"`select * from {relation['schema']}.{relation['alias']}`")}
    if not rows or not rows[0]:
        return result._replace(metadata={**result.metadata, **stored})
    return result._replace(
        description=", ".join(dict.fromkeys(str(next(iter(row.values()))) for row in rows)),
        metadata={
            **result.metadata,
            "failing rows": dg.MetadataValue.table([dg.TableRecord(row) for row in rows]),
            **stored,
        },
    )


def _personal_columns(manifest: Mapping[str, Any]) -> set[str]:
    columns = [column for node in manifest["nodes"].values() for column in node["columns"].values()]
    return {column["name"] for column in columns if column["meta"].get("personal")}


def _shown(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
