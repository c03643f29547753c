"""The code location: everything that Lastmile makes, named on one screen."""

import dagster as dg

from assets.features import feature_assets
from assets.models import model_assets
from assets.predictions import prediction_assets
from assets.reports import report_assets
from lastmile.contracts import load_contracts
from lastmile.orchestration.cleanup import clean_landing, nightly_clean_up
from lastmile.orchestration.dbt.assets import documentation_asset, warehouse_assets
from lastmile.orchestration.dbt.project import dbt_resource
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.resources import platform_from_environment
from lastmile.orchestration.sensors import automation_sensor, landing_sensor
from lastmile.settings import Settings

contracts = load_contracts(Settings.from_environment().assets)
drops = [make(contract) for contract in contracts.values() for make in (raw_asset, cleaned_assets)]
warehouse = warehouse_assets(contracts)
documentation = documentation_asset(warehouse)
learning = [*feature_assets, *model_assets, *prediction_assets]

defs = dg.Definitions(
    assets=[*drops, *warehouse, *learning, *report_assets, documentation],
    sensors=[
        landing_sensor(dg.AssetSelection.assets(*drops), every_seconds=4),
        automation_sensor(every_seconds=1),
    ],
    jobs=[clean_landing],
    schedules=[nightly_clean_up],
    resources={"platform": platform_from_environment(), "dbt": dbt_resource(contracts)},
    executor=dg.in_process_executor,
)
