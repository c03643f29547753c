"""The documentation of the dbt project as a page: every model with its columns, tests, SQL and lineage."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from lastmile.orchestration.conditions import when_made_from_new_code
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.orchestration.dbt.build import POOL, connected
from lastmile.orchestration.drops.metadata import digest
from lastmile.orchestration.resources import Platform
from lastmile.warehouse.dbt.artifacts import DOCUMENTATION

DOCUMENTATION_KEY = dg.AssetKey(["reports", "dbt"])


def documentation_asset(described: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """One page about all of `described`, whose code is its own; kept in the store, and answered by the API at /dbt."""
    specs = sorted((spec for assets in described for spec in assets.specs), key=lambda spec: spec.key)

    @dg.asset(
        key=DOCUMENTATION_KEY,
        description="Documentation of the warehouse: models, columns, tests, SQL, lineage, exposures, metrics.",
        deps=[spec.key for spec in specs],
        code_version=digest(f"{spec.key.to_user_string()} {spec.code_version}" for spec in specs),
        automation_condition=when_made_from_new_code(dg.AssetSelection.tag("layer", "marts")),
        group_name="reports",
        owners=["team:analytics"],
        kinds={"dbt", "html"},
        pool=POOL,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
    )
    def dbt_documentation(dbt: DbtCommand, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        store = platform.store()
        with connected(platform), TemporaryDirectory(prefix="dbt-", ignore_cleanup_errors=True) as folder:
            command = ["--log-level-file", "none", "docs", "generate", "--static"]
            dbt.cli(command, target_path=Path(folder)).wait()
            store.put(DOCUMENTATION, Path(folder, "static_index.html"))
        return dg.MaterializeResult(metadata=_links(store.url))

    return dbt_documentation


def _links(store: str) -> Mapping[str, Any]:
    return {
        "documentation": dg.MetadataValue.url(f"{store}/{DOCUMENTATION}"),
        "in the API": dg.MetadataValue.path("/dbt"),
    }
