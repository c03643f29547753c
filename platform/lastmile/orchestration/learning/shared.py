"""What assets made from declarations have in common: keys, code versions, owners, columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from lastmile.learning.declarations.feature_set import Column, FeatureSet
from lastmile.learning.declarations.loading import Declared
from lastmile.orchestration.drops.metadata import digest

#: Groups of the graph, in the order of the data's way.
FEATURES, CANDIDATES, CHAMPIONS, PREDICTIONS = "features", "candidates", "champions", "predictions"
MONITORING, REPORTS = "monitoring", "reports"
RETRIES = dg.RetryPolicy(max_retries=2, delay=5)
#: Raise it when the engine makes something else of the same declaration: everything of the kind becomes stale.
_ENGINE = {"features": "2", "models": "2", "champion": "1", "predictions": "3", "monitoring": "1", "reports": "1"}
_TYPES = {"numeric": "double precision", "categorical": "text", "boolean": "boolean", "time": "timestamp"}


def features_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["features", name])


def model_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["models", name])


def champion_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["champion", name])


def predictions_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["predictions", name])


def monitoring_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["monitoring", name])


def report_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["reports", name])


def relation_key(relation: str) -> dg.AssetKey:
    """The asset of `schema.table` or `room/name`; the rows of `raw.<dataset>` are loaded by cleaned/<dataset>."""
    path = relation.replace(".", "/").split("/")
    return dg.AssetKey(["cleaned", *path[1:]] if path[0] == "raw" else path)


def tags(declared: Declared[Any]) -> Mapping[str, str]:
    return {"domain": declared.domain.replace("_", "-")}


def code_version(declared: Declared[Any], room: str, *more: str) -> str:
    return digest([_ENGINE[room], declared.code_version, *more])


def source_code(declared: Declared[Any]) -> Mapping[str, Any]:
    """The file of the declaration, for the UI to open."""
    reference = dg.LocalFileCodeReference(file_path=str(declared.file), label=declared.file.name)
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def table_metadata(declared: Declared[Any], table: str, of: FeatureSet, columns: dg.TableSchema) -> Mapping[str, Any]:
    """Of an asset whose rows are kept in a table, by the partitions of a feature set."""
    return {
        **source_code(declared),
        "dagster/column_schema": columns,
        "dagster/table_name": table,
        "partition_expr": of.partition_column,
    }


def identity_columns(features: FeatureSet) -> list[dg.TableColumn]:
    """Who a row is about."""
    return [
        *(table_column(features.columns[name]) for name in features.identity),
        dg.TableColumn(features.partition_column, "date", "First day of the partition."),
    ]


def table_column(column: Column) -> dg.TableColumn:
    unit = f"unit: {column.unit}" if column.unit else ""
    allowed = [f"one of {', '.join(column.levels)}"] if column.levels else []
    return dg.TableColumn(
        column.name,
        _TYPES[column.kind],
        " · ".join(part for part in (column.description, unit) if part),
        dg.TableColumnConstraints(other=allowed),
    )


def check(name: str, faults: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(check_name=name, passed=not faults, description="; ".join(faults) or None)


def nothing_made(checks: Sequence[str], what: str, reason: str) -> dg.MaterializeResult[Any]:
    """Still a materialization: a backfill waits for ever for an asset that a successful run left out."""
    severity = dg.AssetCheckSeverity.WARN
    results = [
        dg.AssetCheckResult(check_name=name, passed=False, severity=severity, description=reason) for name in checks
    ]
    return dg.MaterializeResult(metadata={what: reason}, check_results=results)
