"""Feature sets: what is known of a household beside the level that is to be learned, and nothing that gives it away."""

import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.partition import Partition
from lastmile.learning.feature_set import Feature, FeatureSet, categorical, numeric
from lastmile.orchestration.dbt.project import project_folder
from lastmile.orchestration.drops.assets import cleaned_key
from lastmile.orchestration.drops.metadata import digest
from lastmile.orchestration.following import when_updated
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    import polars as pl
    from psycopg import Connection

    from lastmile.learning.lineage import Measures

GROUP = "learning"
OWNERS = ["team:analytics"]
TAGS = {"domain": "household-survey"}
SURVEY_YEARS = Partition("year", start=date(2010, 1, 1))

HOUSEHOLD_VULNERABILITY = FeatureSet(
    name="household_vulnerability",
    description="What surveys say of a household apart from its income and consumption, and its vulnerability level.",
    entity={"hhid": "text", "survey_year": "integer"},
    group="survey_id",
    partition_column="partition_start",
    inputs=(
        categorical("country", "Country."),
        categorical("large_region", "Part of the world."),
        categorical("farming_system", "Farming system of the place."),
        categorical("koeppen", "Climate of the place (Koeppen-Geiger)."),
        categorical("household_type", "Who heads the household."),
        categorical("hfias_status", "Food insecurity (HFIAS)."),
        numeric("population_density", "People around the homestead in 2020.", "people/km2"),
        numeric("travel_time_cities_minutes", "Travel time to the nearest city.", "min"),
        numeric("hh_size_members", "Members of the household.", "people"),
        numeric("hh_size_mae", "Members as male adult equivalents.", "adults"),
        numeric("land_owned_ha", "Land owned.", "ha"),
        numeric("land_cultivated_ha", "Land cultivated.", "ha"),
        numeric("livestock_tlu", "Animals kept.", "tropical livestock units"),
        numeric("crop_count", "Different crops grown.", "crops"),
        numeric("livestock_heads", "Animals kept, counted.", "heads"),
        numeric("livestock_kinds", "Kinds of animals kept.", "kinds"),
        numeric("livestock_product_kinds", "Kinds of products of the animals.", "kinds"),
        numeric("hdds_score", "Food groups eaten (HDDS).", "of 10"),
        numeric("farmhdds_score", "Food groups eaten from the own farm.", "of 10"),
        numeric("fies_score", "Signs of food insecurity (FIES).", "of 8"),
        numeric("food_shortage_months", "Months short of food.", "months"),
    ),
    target="vulnerability_level",
    levels=("On Track", "At Risk", "Struggling", "Severely Struggling"),
    question="vulnerable",
    positive=("Struggling", "Severely Struggling"),
    source="marts.dim_household",
    target_source="marts.fct_household_year",
    datasets=("hhinfo", "crop", "lstk", "lstk_prod"),
    forbidden=frozenset({"income", "consumption"}),
)

FEATURES_KEY = dg.AssetKey(["features", HOUSEHOLD_VULNERABILITY.name])
MARTS = [dg.AssetKey(["marts", "dim_household"]), dg.AssetKey(["marts", "fct_household_year"])]
#: The marts have no partitions; this dependency says which years have households at all.
HOUSEHOLDS = cleaned_key("hhinfo")
CHECKS = {
    "no_input_makes_the_level": "No input is income, consumption or anything derived from them.",
    "no_input_gives_the_level_away": "No input alone tells the level or ranks the rows as income or consumption does.",
    "complete": "Every household of the partition has one row.",
}


def identity_columns(features: FeatureSet) -> list[dg.TableColumn]:
    """Who a row is about."""
    return [
        *(dg.TableColumn(name, kind, "Part of the row's key.") for name, kind in features.entity.items()),
        dg.TableColumn(features.group, "text", "Survey: never split between training and judging."),
        dg.TableColumn(features.partition_column, "date", "First day of the partition."),
    ]


def column_schema(features: FeatureSet) -> dg.TableSchema:
    """Who the row is about, the inputs with their units, the target."""
    inputs = [dg.TableColumn(feature.name, feature.kind, _described(feature)) for feature in features.inputs]
    levels = dg.TableColumnConstraints(other=[f"one of {', '.join(features.levels)}"])
    target = dg.TableColumn(features.target, "text", "To be learned; null where not computable.", levels)
    return dg.TableSchema([*identity_columns(features), *inputs, target])


def _described(feature: Feature) -> str:
    return f"{feature.description} · unit: {feature.unit}" if feature.unit else feature.description


def measures(platform: Platform) -> "dict[str, Measures]":
    """What the warehouse's columns are derived from, read from the dbt project that makes them."""
    from lastmile.learning.lineage import measures
    from lastmile.warehouse.dbt.project import MANIFEST

    folder = project_folder(platform.contracts())
    return measures(json.loads((folder / MANIFEST).read_text()))


@dg.asset(
    key=FEATURES_KEY,
    description=HOUSEHOLD_VULNERABILITY.description,
    deps=[*MARTS, HOUSEHOLDS],
    partitions_def=partitions_of(SURVEY_YEARS),
    backfill_policy=in_few_runs(),
    automation_condition=when_updated(dg.AssetSelection.assets(*MARTS), dg.AssetSelection.assets(*MARTS, HOUSEHOLDS)),
    check_specs=[dg.AssetCheckSpec(name, asset=FEATURES_KEY, description=text) for name, text in CHECKS.items()],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres", "parquet"},
    tags=TAGS,
    metadata={
        "dagster/column_schema": column_schema(HOUSEHOLD_VULNERABILITY),
        "dagster/table_name": HOUSEHOLD_VULNERABILITY.table,
    },
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def household_vulnerability(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
    from lastmile.learning import feature_table

    features, store = HOUSEHOLD_VULNERABILITY, platform.store()
    incomplete, contents = [], []
    with platform.connect() as connection:
        for partition in context.partition_keys:
            window = SURVEY_YEARS.window(partition)
            feature_table.fill(connection, features, window)
            rows = feature_table.rows(connection, features, window)
            expected = feature_table.sources_count(connection, features, window)
            incomplete += [] if rows.height == expected else [f"{partition}: {rows.height} rows, {expected} households"]
            key = f"features/{features.name}/partition={partition}.parquet"
            store.put(key, _parquet(rows))
            contents.append(f"{partition} {feature_table.content(rows)}")
            context.add_asset_metadata(_metadata(features, rows, f"{store.url}/{key}"), FEATURES_KEY, partition)
        sources = measures(platform)
        checks = [_derived(features, sources), _alarm(connection, features, sources), _check("complete", incomplete)]
    return dg.MaterializeResult(data_version=dg.DataVersion(digest(contents)), check_results=checks)


def _parquet(rows: "pl.DataFrame") -> bytes:
    import io

    file = io.BytesIO()
    rows.write_parquet(file, compression="zstd")
    return file.getvalue()


def _metadata(features: FeatureSet, rows: "pl.DataFrame", url: str) -> Mapping[str, Any]:
    levels = dict(rows[features.target].drop_nulls().value_counts().iter_rows())
    return {
        "dagster/row_count": rows.height,
        "labelled": sum(levels.values()),
        **{level: levels.get(level, 0) for level in features.levels},
        "surveys": rows[features.group].n_unique(),
        "parquet": dg.MetadataValue.url(url),
    }


def _derived(features: FeatureSet, sources: "dict[str, Measures]") -> dg.AssetCheckResult:
    from lastmile.learning.leakage import derived_inputs

    derived = derived_inputs(features, sources)
    faults = [f"{name} is derived from {' and '.join(quantities)}" for name, quantities in derived.items()]
    return _check("no_input_makes_the_level", faults)


def _alarm(connection: "Connection", features: FeatureSet, sources: "dict[str, Measures]") -> dg.AssetCheckResult:
    from lastmile.learning.feature_table import labelled_sample
    from lastmile.learning.leakage import ENOUGH_ROWS, ranking_inputs, telling_inputs

    columns = sources[features.target_source.rpartition(".")[2]]
    forbidden = [name for name, quantities in columns.items() if quantities & features.forbidden]
    rows, quantities = labelled_sample(connection, features, forbidden, ENOUGH_ROWS)
    telling, ranking = telling_inputs(features, rows), ranking_inputs(features, rows, quantities)
    faults = [f"{name} alone tells the level: {score:.3f} of 1" for name, score in telling.items()]
    faults += [f"{name} ranks households as {other} does: {alike:.3f} of 1" for name, (other, alike) in ranking.items()]
    return _check("no_input_gives_the_level_away", faults)


def _check(name: str, faults: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=FEATURES_KEY, check_name=name, passed=not faults, description="; ".join(faults) or None
    )


feature_assets = [household_vulnerability]
