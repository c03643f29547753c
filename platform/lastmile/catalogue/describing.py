"""From declarations to entries. It needs what the declarations import; the entries do not."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lastmile.catalogue.entries import (
    Catalogue,
    Dataset,
    DatasetColumn,
    FeatureSetEntry,
    FormEntry,
    Input,
    Metric,
    ModelEntry,
    Relation,
    RelationColumn,
)
from lastmile.contracts.contract import Contract
from lastmile.contracts.form import Form

if TYPE_CHECKING:
    from lastmile.learning.declarations.feature_set import FeatureSet
    from lastmile.learning.declarations.model import Model


def catalogue(
    contracts: Iterable[Contract],
    features: "Iterable[FeatureSet]" = (),
    models: "Iterable[Model]" = (),
    manifest: Mapping[str, Any] | None = None,
    forms: Iterable[Form] = (),
    brought: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
) -> Catalogue:
    """Everything there is; `manifest` is dbt's, parsed, and `brought` what streams and followed databases bring."""
    related = [*relations(manifest or {}), *brought_relations(brought)]
    return Catalogue(
        datasets={one.name: dataset(one) for one in contracts},
        forms={one.name: FormEntry.model_validate(one, from_attributes=True) for one in forms},
        feature_sets={one.name: feature_set(one) for one in features},
        models={one.name: model(one) for one in models},
        relations={f"{one.db_schema}.{one.name}": one for one in related},
    )


def dataset(contract: Contract) -> Dataset:
    expected, retention = contract.arrival.expected_every, contract.arrival.retention
    return Dataset(
        name=contract.name,
        description=contract.description,
        owner=contract.owner,
        domain=contract.tags.get("domain"),
        unit=contract.partition.unit,
        start=contract.partition.start_key(),
        partition_column=contract.partition.column,
        key=list(contract.key),
        columns=[_column(contract, name) for name in contract.columns],
        rules=[check.expected for check in contract.checks.get(None, ())],
        most_bytes=contract.limits.bytes,
        max_bad_share=contract.policy.max_bad_share,
        expected_every_seconds=expected.total_seconds() if expected else None,
        retention_seconds=retention.total_seconds() if retention else None,
        version=contract.version,
        tags=dict(contract.tags),
    )


def _column(contract: Contract, name: str) -> DatasetColumn:
    spec, known = contract.columns[name], contract.metadata(name)
    return DatasetColumn(
        name=name,
        type=contract.kinds[name].name,
        description=spec.description or "",
        unit=known["unit"],
        personal=known["personal"],
        required=spec.required,
        nullable=spec.nullable,
        aliases=list(known["aliases"]),
        checks=[check.expected for check in contract.checks.get(name, ())],
    )


def feature_set(features: "FeatureSet") -> FeatureSetEntry:
    from lastmile.learning.features.input_model import bounds

    schema = features.schema.to_schema().columns
    return FeatureSetEntry(
        name=features.name,
        description=features.description,
        owner=features.owner,
        entity=list(features.entity),
        group=features.group,
        key=list(features.key),
        newest_by=list(features.newest_by),
        partition_column=features.partition_column,
        inputs=[
            Input(
                name=one.name,
                kind=one.kind,
                description=one.description,
                unit=one.unit,
                levels=list(one.levels),
                nullable=schema[one.name].nullable,
                **bounds(schema[one.name]),
            )
            for one in features.inputs
            if one.kind != "time"
        ],
        targets=list(features.targets),
        datasets=list(features.datasets),
        sources=list(features.sources),
    )


def model(declared: "Model") -> ModelEntry:
    from lastmile.learning.declarations.model import Classification

    common: dict[str, Any] = {
        "name": declared.name,
        "description": declared.description,
        "owner": declared.owner,
        "users": declared.users,
        "features": declared.features.name,
        "target": declared.target,
        "inputs": declared.inputs,
    }
    task = declared.task
    if not isinstance(task, Classification):
        return ModelEntry(**common, kind="regression", unit=task.unit)
    return ModelEntry(
        **common,
        kind="classification",
        levels=list(task.levels),
        ordered=task.ordered,
        question=task.question,
        positive=list(task.positive),
        common=list(task.common),
    )


def relations(manifest: Mapping[str, Any]) -> list[Relation]:
    """The models and seeds of dbt's manifest, with the measures of its semantic models."""
    measured: dict[str, list[Metric]] = {}
    for semantic in manifest.get("semantic_models", {}).values():
        time = (semantic.get("defaults") or {}).get("agg_time_dimension")
        for parent in semantic["depends_on"]["nodes"]:
            measured.setdefault(parent, []).extend(_metric(one, time) for one in semantic["measures"])
    return [
        Relation(
            name=node["name"],
            db_schema=node["schema"],
            description=" ".join(node.get("description", "").split()),
            columns=[
                RelationColumn(
                    name=name,
                    type=column.get("data_type"),
                    description=column.get("description", ""),
                    personal=bool(_meta(column).get("personal")),
                )
                for name, column in node["columns"].items()
            ],
            key=_primary_key(node.get("constraints", ())),
            metrics=measured.get(key, []),
        )
        for key, node in manifest.get("nodes", {}).items()
        if node["resource_type"] in ("model", "seed")
    ]


def brought_relations(brought: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Relation]:
    """Tables as dbt's files of sources describe them."""
    return [
        Relation(
            name=table["name"],
            db_schema=schema,
            description=table["description"],
            columns=[_brought_column(column) for column in table["columns"]],
            key=table["config"]["meta"]["key"],
        )
        for schema, tables in brought.items()
        for table in tables
    ]


def _brought_column(column: Mapping[str, Any]) -> RelationColumn:
    return RelationColumn(
        name=column["name"],
        type=column["data_type"],
        description=column["description"],
        personal=bool(_meta(column).get("personal")),
    )


def _meta(column: Mapping[str, Any]) -> dict[str, Any]:
    return {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}


def _metric(measure: Mapping[str, Any], time: str | None) -> Metric:
    own = measure.get("agg_time_dimension") or time
    expr = measure.get("expr") or measure["name"]
    return Metric(
        name=measure["name"], description=measure.get("description") or "", agg=measure["agg"], expr=expr, time=own
    )


def _primary_key(constraints: Sequence[Mapping[str, Any]]) -> list[str]:
    return next((list(one.get("columns", ())) for one in constraints if one.get("type") == "primary_key"), [])
