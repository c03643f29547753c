"""The code location: what each domain declares, as Dagster definitions, merged with those of the platform itself.

A new domain, or a new file in one, needs no edit anywhere: everything is found in the assets package.
"""

import sys
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import dagster as dg

from lastmile import telemetry
from lastmile.catalogue.brought import brought
from lastmile.contracts import Contract, load_contracts
from lastmile.contracts.broken import Broken, Declarations, publish
from lastmile.contracts.loading import load_forms, load_routes
from lastmile.learning.declarations.loading import (
    Declared,
    load_features,
    load_models,
    load_reports,
    load_weekly_reports,
)
from lastmile.learning.declarations.model import Model
from lastmile.learning.declarations.weekly_report import WeeklyReport
from lastmile.operations.exports.declaration import Export, load_exports
from lastmile.orchestration.assembly import Part, assembled
from lastmile.orchestration.backup import back_up, drill, nightly_backup, weekly_drill
from lastmile.orchestration.catalogue import publish_catalogue
from lastmile.orchestration.cleanup import clean_up, nightly_clean_up
from lastmile.orchestration.dagster_compat.execution import process_of
from lastmile.orchestration.dagster_compat.executor import interruptible_executor
from lastmile.orchestration.dbt.assets import documentation_asset, usable_warehouse
from lastmile.orchestration.dbt.project import dbt_resource, usable_project
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.drops.verdicts import verdict_sensor
from lastmile.orchestration.learning.champions import champion_asset
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.io_manager import FeatureIOManager, PredictionIOManager
from lastmile.orchestration.learning.models import model_asset
from lastmile.orchestration.learning.monitoring import monitoring_asset
from lastmile.orchestration.learning.predictions import prediction_asset
from lastmile.orchestration.learning.reports import report_asset
from lastmile.orchestration.learning.retraining import retraining_sensor
from lastmile.orchestration.placeholders import placeholders
from lastmile.orchestration.resources import platform_from_environment
from lastmile.orchestration.scheduled.days import daily_figures, nightly_figures
from lastmile.orchestration.scheduled.exports import export_asset, export_schedule
from lastmile.orchestration.scheduled.followed import followed_sensors
from lastmile.orchestration.scheduled.sources import source_asset, source_key, source_schedule
from lastmile.orchestration.scheduled.weekly import weekly_asset, weekly_schedule
from lastmile.orchestration.sensors import automation_sensor, landing_sensor
from lastmile.orchestration.streams.assets import stream_assets
from lastmile.orchestration.streams.reporting import stream_sensor
from lastmile.orchestration.unrouted import unrouted_definitions
from lastmile.settings import Settings
from lastmile.settings.all import check
from lastmile.sources.declarations.source import Source
from lastmile.sources.loading import load_sources
from lastmile.streaming.declarations.loading import load_streams

T = TypeVar("T")


def definitions(assets: str) -> dg.Definitions:
    """Everything that the package `assets` declares, and what carries it.

    A declaration that cannot be used costs itself alone: an asset `broken/<file>` is in its place, and the file in the
    installation's home that `status` and `reload` read says why. Raises UserError where a setting cannot be used.
    """
    check()
    if process := process_of(sys.argv):
        telemetry.start(process)
    contracts = load_contracts(assets)
    sources, streams = load_sources(assets, contracts), load_streams(assets, contracts)
    folder, broken = usable_project(contracts, brought(sources, streams, contracts))
    warehouse: list[dg.AssetsDefinition] = []
    if folder:
        warehouse, unusable = usable_warehouse(contracts, folder)
        broken += unusable
    models = load_models(assets)
    exports, weekly = load_exports(assets), load_weekly_reports(assets)
    parts, misdeclared = _parts(assets, contracts, sources, models, _partitioned(warehouse))
    parts += _scheduled_parts(exports, weekly)
    parts += _parts_of("stream", streams, lambda one: stream_assets(one, contracts))
    misdeclared += [*exports.broken, *streams.broken, *(one for one in weekly.broken if one not in misdeclared)]
    broken += misdeclared
    base = dg.Definitions.merge(_platform(contracts, models, warehouse, folder, broken), unrouted_definitions())
    whole, unfit = assembled(base, parts)
    reporting = [*([stream_sensor(streams, contracts)] if streams else []), *followed_sensors(sources)]
    schedules = _schedules(exports, weekly, sources, unfit)
    whole = dg.Definitions.merge(whole, dg.Definitions(schedules=schedules, sensors=reporting))
    broken += unfit
    forms = load_forms(assets, contracts)
    broken += forms.broken
    routes, unfit_routes = load_routes(assets)
    broken += unfit_routes
    publish(Settings.from_environment().home, broken)
    publish_catalogue(contracts, load_features(assets), models, folder, sources, streams, forms, routes)
    return dg.Definitions.merge(whole, placeholders(broken)) if broken else whole


def _partitioned(warehouse: Sequence[dg.AssetsDefinition]) -> set[dg.AssetKey]:
    """The tables of the warehouse that are made by partition."""
    return {key for assets in warehouse if assets.partitions_def for key in assets.keys}


def _parts(
    assets: str,
    contracts: Declarations[Contract],
    sources: Declarations[Source],
    models: Declarations[Declared[Model]],
    partitioned: Container[dg.AssetKey],
) -> tuple[list[Part], list[Broken]]:
    """Sources, datasets, feature sets, models with their predictions, and reports; and the files that declare none."""
    features, reports = load_features(assets), load_reports(assets)
    parts = [
        *_parts_of("source", sources, lambda one: [source_asset(one, contracts[one.dataset])]),
        *_parts_of("contract", contracts, lambda one: _dataset_assets(one, sources)),
        *_parts_of("feature", features, lambda one: [feature_asset(one, partitioned)]),
        *_parts_of("model", models, _model_assets),
        *_parts_of("report", reports, lambda one: [report_asset(one)]),
    ]
    found = [one for declared in (sources, contracts, features, models, reports) for one in declared.broken]
    return parts, list({(one.file, one.why): one for one in found}.values())


def _scheduled_parts(exports: Declarations[Export], weekly: Declarations[Declared[WeeklyReport]]) -> list[Part]:
    return [
        *_parts_of("export", exports, lambda one: [export_asset(one)]),
        *_parts_of("weekly_report", weekly, lambda one: [weekly_asset(one)]),
    ]


def _schedules(
    exports: Declarations[Export],
    weekly: Declarations[Declared[WeeklyReport]],
    sources: Declarations[Source],
    unfit: Sequence[Broken],
) -> list[dg.ScheduleDefinition]:
    """Of those that became assets."""
    left_out = {one.file for one in unfit}
    found = [(exports.files[name], export_schedule(one)) for name, one in exports.items()]
    found += [(weekly.files[name], weekly_schedule(one.value)) for name, one in weekly.items()]
    found += [(sources.files[name], made) for name, one in sources.items() if (made := source_schedule(one))]
    return [schedule for file, schedule in found if file not in left_out]


def _dataset_assets(contract: Contract, sources: Mapping[str, Source]) -> list[dg.AssetsDefinition]:
    upstream = [source_key(name) for name, one in sources.items() if one.dataset == contract.name]
    return [raw_asset(contract, upstream), cleaned_assets(contract)]


def _model_assets(declared: Declared[Model]) -> list[dg.AssetsDefinition]:
    return [model_asset(declared), champion_asset(declared), prediction_asset(declared), monitoring_asset(declared)]


def _parts_of(kind: str, declared: Declarations[T], make: Callable[[T], list[dg.AssetsDefinition]]) -> list[Part]:
    return [Part(kind, declared.files[name], partial(make, one)) for name, one in declared.items()]


def _platform(
    contracts: Mapping[str, Contract],
    models: Mapping[str, Declared[Model]],
    warehouse: Sequence[dg.AssetsDefinition],
    folder: Path | None,
    broken: Sequence[Broken],
) -> dg.Definitions:
    """The warehouse, and what is not of any domain: sensors, jobs, resources."""
    platform = platform_from_environment()
    return dg.Definitions(
        assets=[daily_figures, *([*warehouse, documentation_asset(warehouse)] if folder else [])],
        sensors=[
            landing_sensor(dg.AssetSelection.all(), 4, broken),
            automation_sensor(every_seconds=1),
            verdict_sensor(every_seconds=30),
            retraining_sensor(dg.AssetSelection.all(), models, every_seconds=5),
        ],
        jobs=[clean_up, back_up, drill],
        schedules=[nightly_clean_up, nightly_figures, nightly_backup, weekly_drill],
        resources={
            "platform": platform,
            **({"dbt": dbt_resource(contracts, folder)} if folder else {}),
            "features": FeatureIOManager(platform=platform),
            "predictions": PredictionIOManager(platform=platform),
        },
        executor=interruptible_executor,
    )
