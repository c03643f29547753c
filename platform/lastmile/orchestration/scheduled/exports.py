"""An export as an asset with a schedule of its own: lineage shows who gets what, its runs when."""

import dagster as dg

from lastmile.operations.exports import Export
from lastmile.orchestration.learning.shared import RETRIES, relation_key
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform

GROUP = "exports"


def export_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["exports", name])


def export_asset(export: Export) -> dg.AssetsDefinition:
    @dg.asset(
        key=export_key(export.name),
        description=export.description,
        deps=[relation_key(export.source)],
        group_name=GROUP,
        kinds={"postgres" if export.format == "table" else export.format},
        owners=[export.owner],
        retry_policy=RETRIES,
        pool=WAREHOUSE,
        metadata={"target": export.to or "own store", "personal columns": ", ".join(export.personal) or "none"},
    )
    def exported(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        from lastmile.catalogue.published import personal_columns
        from lastmile.operations.exports.exporting import Installation, carry_out
        from lastmile.settings.exports import ExportSettings
        from lastmile.settings.group import load

        with platform.connect() as connection:
            personal = personal_columns(connection)
            here = Installation(platform.settings(), load(ExportSettings), platform.store(), personal)
            done = carry_out(connection, export, here, context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(done.watermark),
            metadata={
                "dagster/row_count": done.rows_at_target,
                "windows replaced": dg.MetadataValue.json(list(done.replaced)),
                "windows removed": dg.MetadataValue.json(list(done.removed)),
                "windows unchanged": done.unchanged,
                "rows sent": done.rows,
                "bytes sent": done.bytes,
                "watermark": done.watermark,
            },
        )

    return exported


def export_schedule(export: Export) -> dg.ScheduleDefinition:
    """One that was missed needs no making up: the next export has whatever changed since the last."""
    return dg.ScheduleDefinition(
        name=f"export_{export.name}",
        target=dg.AssetSelection.assets(export_key(export.name)),
        cron_schedule=export.schedule.cron,
        execution_timezone=export.schedule.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Exports what changed of {export.source}.",
    )
