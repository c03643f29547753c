"""The code location of a project: what its domains declare, and what carries it.

A new domain, or a new file in one, needs no edit anywhere: everything is found in the assets package.
"""

import dagster as dg

from lastmile.contracts import load_contracts
from lastmile.orchestration.cleanup import clean_landing, nightly_clean_up
from lastmile.orchestration.dbt.assets import documentation_asset, warehouse_assets
from lastmile.orchestration.dbt.project import dbt_resource
from lastmile.orchestration.drop_assets import cleaned_assets, raw_asset
from lastmile.orchestration.freshness import freshness_sensor
from lastmile.orchestration.resources import platform_from_environment
from lastmile.orchestration.sensors import automation_sensor, landing_sensor


def definitions(assets: str) -> dg.Definitions:
    """Everything that the package `assets` declares. Raises ValueError, naming the file that cannot work."""
    contracts = load_contracts(assets)
    drops = [make(contract) for contract in contracts.values() for make in (raw_asset, cleaned_assets)]
    warehouse = warehouse_assets(contracts)
    return dg.Definitions(
        assets=[*drops, *warehouse, documentation_asset(warehouse)],
        sensors=[
            landing_sensor(dg.AssetSelection.assets(*drops), every_seconds=4),
            automation_sensor(every_seconds=1),
            freshness_sensor(every_seconds=600),
        ],
        jobs=[clean_landing],
        schedules=[nightly_clean_up],
        resources={"platform": platform_from_environment(), "dbt": dbt_resource(contracts)},
        executor=dg.in_process_executor,
    )
