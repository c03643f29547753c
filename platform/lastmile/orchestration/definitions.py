"""The code location: what each domain declares, as Dagster definitions, merged with those of the platform itself.

A new domain, or a new file in one, needs no edit anywhere: everything is found in the assets package.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence

import dagster as dg

from lastmile.contracts import Contract, load_contracts
from lastmile.contracts.loading import modules
from lastmile.learning.declarations.loading import load_features, load_models, load_reports
from lastmile.orchestration.cleanup import clean_landing, nightly_clean_up
from lastmile.orchestration.dbt.assets import documentation_asset, warehouse_assets
from lastmile.orchestration.dbt.project import dbt_resource
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.io_manager import FrameIOManager, PredictionIOManager
from lastmile.orchestration.learning.models import model_asset
from lastmile.orchestration.learning.predictions import prediction_asset
from lastmile.orchestration.learning.reports import report_asset
from lastmile.orchestration.resources import platform_from_environment
from lastmile.orchestration.sensors import automation_sensor, landing_sensor


def definitions(assets: str) -> dg.Definitions:
    """Everything that the package `assets` declares, and what carries it.

    Raises ValueError, naming the file, for a declaration that cannot work or stands twice.
    """
    contracts = load_contracts(assets)
    warehouse = warehouse_assets(contracts)
    return dg.Definitions.merge(_platform(contracts, warehouse), *_domains(assets, _partitioned(warehouse)).values())


def _partitioned(warehouse: Sequence[dg.AssetsDefinition]) -> set[dg.AssetKey]:
    """The tables of the warehouse that are made by partition."""
    return {key for assets in warehouse if assets.partitions_def for key in assets.keys}


def _domains(assets: str, partitioned: Container[dg.AssetKey]) -> Mapping[str, dg.Definitions]:
    """Datasets, feature sets, models with their predictions, and reports of each domain."""
    found: dict[str, list[dg.AssetsDefinition]] = defaultdict(list)
    for module in modules(assets, "contracts"):
        found[module.__name__.split(".")[-3]] += [raw_asset(module.contract), cleaned_assets(module.contract)]
    for features in load_features(assets).values():
        found[features.domain].append(feature_asset(features, partitioned))
    for model in load_models(assets).values():
        found[model.domain] += [model_asset(model), prediction_asset(model)]
    for report in load_reports(assets).values():
        found[report.domain].append(report_asset(report))
    return {domain: dg.Definitions(assets=made) for domain, made in found.items()}


def _platform(contracts: Mapping[str, Contract], warehouse: Sequence[dg.AssetsDefinition]) -> dg.Definitions:
    """The warehouse, and what is not of any domain: sensors, jobs, resources."""
    platform = platform_from_environment()
    return dg.Definitions(
        assets=[*warehouse, documentation_asset(warehouse)],
        sensors=[
            landing_sensor(dg.AssetSelection.key_prefixes("raw", "cleaned", "quarantine"), every_seconds=4),
            automation_sensor(every_seconds=1),
        ],
        jobs=[clean_landing],
        schedules=[nightly_clean_up],
        resources={
            "platform": platform,
            "dbt": dbt_resource(contracts),
            "frames": FrameIOManager(platform=platform),
            "predictions": PredictionIOManager(platform=platform),
        },
        executor=dg.in_process_executor,
    )
