"""Feature sets as assets: rows by partition as a pandas frame, and an alarm for whatever gives the target away."""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.loading import Declared
from lastmile.orchestration.chain import PARTITION_TAG
from lastmile.orchestration.dbt.project import project_folder
from lastmile.orchestration.drops.assets import cleaned_key
from lastmile.orchestration.drops.metadata import digest
from lastmile.orchestration.learning.following import made_along, when_updated
from lastmile.orchestration.learning.online import CHECK as ONLINE
from lastmile.orchestration.learning.online import (
    DESCRIPTION,
    online_check,
    online_metadata,
    replace_online,
)
from lastmile.orchestration.learning.shared import (
    FEATURES,
    RETRIES,
    check,
    code_version,
    features_key,
    identity_columns,
    relation_key,
    table_column,
    table_metadata,
    tags,
)
from lastmile.orchestration.partitions import in_few_runs, overlapping, partitions_of
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.telemetry.spans import span

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.learning.features.lineage import Measures

CHECKS = {
    "no_input_makes_the_target": "No input is, or is derived from, what makes the target.",
    "no_input_gives_the_target_away": "No input alone tells the target or ranks the rows as what makes it does.",
    "complete": "Every entity of the partition has one row.",
    ONLINE: DESCRIPTION,
}


def feature_asset(declared: Declared[FeatureSet], partitioned: Container[dg.AssetKey] = ()) -> dg.AssetsDefinition:
    """`partitioned` are the tables of the warehouse that are made by partition, of whatever unit and start."""
    features, key = declared.value, features_key(declared.value.name)
    marts = [relation_key(source) for source in features.sources]
    #: Marts may have no partitions; this dependency says which partitions have rows at all.
    entities = cleaned_key(features.datasets[0])

    @dg.asset(
        key=key,
        description=features.description,
        deps=[*(_dep(mart, partitioned) for mart in marts if mart != entities), _dep(entities, [entities])],
        partitions_def=partitions_of(features.partition),
        backfill_policy=in_few_runs(),
        automation_condition=when_updated(
            dg.AssetSelection.assets(*marts), [*marts, entities], along=made_along(features.partition)
        ),
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in CHECKS.items()],
        io_manager_key="features",
        pool=WAREHOUSE,
        group_name=FEATURES,
        kinds={"pandas", "postgres", "parquet"},
        owners=[declared.value.owner],
        tags=tags(declared),
        code_version=code_version(declared, "features"),
        retry_policy=RETRIES,
        metadata={
            **table_metadata(declared, features.table, features, _column_schema(features)),
            **online_metadata(features),
        },
    )
    def feature_set(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[pd.DataFrame] | dg.AssetCheckResult]:
        from lastmile.learning.features.building import build, expected, snapshot
        from lastmile.learning.frames import content

        parts: dict[str, pd.DataFrame] = {}
        incomplete = []
        with platform.connect() as connection:
            for partition in context.partition_keys:
                window = features.partition.window(partition)
                known = {"features": features.name, "partition": partition}
                with span("learning.features", **known) as done, snapshot(connection, features):
                    rows, count = build(connection, features, window), expected(connection, features, window)
                    done(rows=len(rows))
                incomplete += [] if len(rows) == count else [f"{partition}: {len(rows)} rows, {count} entities"]
                context.add_asset_metadata(_metadata(features, rows), key, partition)
                parts[partition] = rows
            if PARTITION_TAG in context.run.tags:
                replace_changed(context, connection, platform, features, parts)
            leaks = _leak_checks(connection, platform, features, parts)
        version = digest(f"{partition} {content(rows)}" for partition, rows in parts.items())
        made = pd.concat(parts.values(), ignore_index=True)
        made.attrs["targets"] = features.targets
        yield dg.MaterializeResult(
            value=made,
            data_version=dg.DataVersion(version),
            check_results=[*leaks, check("complete", incomplete)],
        )
        # The rows have been kept by now.
        yield online_check(platform, features)

    return feature_set


def replace_changed(
    context: dg.AssetExecutionContext,
    connection: "Connection",
    platform: Platform,
    features: FeatureSet,
    made: Container[str],
) -> None:
    """Other partitions whose rows new drops have changed, as a survey does that changes the verdict on older ones."""
    from lastmile.learning.features.building import build, days_with_rows, keep, snapshot, stored
    from lastmile.learning.features.online import online

    kept, store, days = stored(features), platform.store(), days_with_rows(connection, features)
    table = online(features)
    for partition in (name for name in kept.partitions(store) if name not in made):
        window = features.partition.window(partition)
        if days is not None and not any(window[0] <= day < window[1] for day in days):
            continue
        with snapshot(connection, features):
            rows = build(connection, features, window)
        if kept.differs(store, partition, rows):
            also = partial(replace_online, platform, table=table, window=window)
            keep(connection, store, features, partition, window, rows, also)
            key, why = features_key(features.name), "Changed by drops of other partitions."
            event = dg.AssetMaterialization(key, partition=partition, description=why)
            context.instance.report_runless_asset_event(event)


def _dep(key: dg.AssetKey, partitioned: Container[dg.AssetKey]) -> dg.AssetDep:
    return dg.AssetDep(key, partition_mapping=overlapping() if key in partitioned else None)


def measures(platform: Platform) -> "dict[str, Measures]":
    """What the warehouse's columns are derived from, read from the dbt project that makes them."""
    from lastmile.learning.features.lineage import measures
    from lastmile.warehouse.dbt.project import MANIFEST

    folder = project_folder(platform.contracts())
    return measures(json.loads((folder / MANIFEST).read_text()))


def _column_schema(features: FeatureSet) -> dg.TableSchema:
    """Who the row is about, the inputs with their units, the targets."""
    shown = [*features.inputs, *(features.columns[name] for name in features.targets)]
    return dg.TableSchema([*identity_columns(features), *map(table_column, shown)])


def _leak_checks(
    connection: "Connection", platform: Platform, features: FeatureSet, parts: Mapping[str, pd.DataFrame]
) -> Sequence[dg.AssetCheckResult]:
    """Over a sample of all rows, those of other partitions included: a check's verdict is about the whole set."""
    from lastmile.learning.features.building import stored

    known = stored(features)
    others = set(known.partitions(platform.store())) - set(parts)
    rows = [*parts.values(), *([known.read(platform.store(), others)] if others else [])]
    made, given_away = leaks(connection, platform, features, pd.concat(rows, ignore_index=True))
    return [
        check("no_input_makes_the_target", [f"{name} {why}" for name, why in made.items()]),
        check("no_input_gives_the_target_away", [f"{name} {why}" for name, why in given_away.items()]),
    ]


def leaks(
    connection: "Connection",
    platform: Platform,
    features: FeatureSet,
    rows: pd.DataFrame,
    forbidden: frozenset[str] = frozenset(),
) -> tuple[dict[str, str], dict[str, str]]:
    """Inputs that are made of what makes a target, or of the quantities `forbidden`; and inputs that behave as if they
    were. Each with how, in words."""
    from lastmile.learning.features import leakage
    from lastmile.learning.features.building import sources_of

    sources, features = measures(platform), replace(features, forbidden=features.forbidden | forbidden)
    sample = leakage.sample(features, rows)
    frames = sources_of(connection, features, sample)
    derived = leakage.derived_inputs(features, sources, frames)
    given_away = _given_away(features, sources, frames, sample)
    if given_away:  # or there are copies; to look for those takes seconds
        sample = leakage.sample_without_copies(features, rows)
        given_away = _given_away(features, sources, sources_of(connection, features, sample), sample)
    return {name: f"is derived from {' and '.join(q)}" for name, q in derived.items()}, given_away


def _given_away(
    features: FeatureSet,
    sources: Mapping[str, "Measures"],
    frames: Mapping[str, pd.DataFrame],
    rows: pd.DataFrame,
) -> dict[str, str]:
    from lastmile.learning.features.leakage import forbidden_numbers, ranking_inputs, telling_inputs

    quantities = forbidden_numbers(features, sources, frames, rows)
    telling, ranking = telling_inputs(features, rows), ranking_inputs(features, rows, quantities)
    found = {name: f"alone tells the target: {score:.3f} of 1" for name, score in telling.items()}
    return found | {name: f"ranks rows as {other} does: {alike:.3f} of 1" for name, (other, alike) in ranking.items()}


def _metadata(features: FeatureSet, rows: pd.DataFrame) -> Mapping[str, Any]:
    counts = {
        f"{level}": int((rows[target] == level).sum())
        for target in features.targets
        for level in features.columns[target].levels
    }
    return {
        "dagster/row_count": len(rows),
        "labelled": int(rows[list(features.targets)].notna().any(axis=1).sum()),
        **counts,
        f"different {features.group}": rows[features.group].nunique(),
    }
