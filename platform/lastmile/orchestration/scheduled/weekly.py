"""A weekly report as an asset by week: page, PDF and CSV files in the store, mailed once."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import dagster as dg

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.weekly_report import Week, WeeklyReport
from lastmile.orchestration.learning.shared import REPORTS, RETRIES, report_key, source_code, tags
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.scheduled.days import DAYS_KEY

#: A Monday before any installation.
_FIRST = "2026-01-05"
_MONDAY = 1


def weekly_asset(declared: Declared[WeeklyReport]) -> dg.AssetsDefinition:
    report = declared.value

    @dg.asset(
        key=report_key(report.name),
        description=report.description,
        deps=[DAYS_KEY],
        partitions_def=dg.WeeklyPartitionsDefinition(_FIRST, day_offset=_MONDAY),
        group_name=REPORTS,
        kinds={"html", "pdf", "csv"},
        owners=[report.owner],
        tags=tags(declared),
        code_version=declared.code_version,
        retry_policy=RETRIES,
        pool=WAREHOUSE,
        metadata=source_code(declared),
    )
    def edition(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        week = Week(date.fromisoformat(context.partition_key))
        return _made(report, week, platform, context.run.run_id)

    return edition


def _made(report: WeeklyReport, week: Week, platform: Platform, run_id: str) -> dg.MaterializeResult:  # type: ignore[type-arg]
    from lastmile.learning.editions.edition import Edition
    from lastmile.learning.report_data import ReportData
    from lastmile.operations import days, editions
    from lastmile.settings.group import load
    from lastmile.settings.reports import ReportSettings

    store, to = platform.store(), load(ReportSettings).mail
    with platform.connect() as connection:
        for day in days.due(connection, store.url):
            if week.monday <= day < week.after:
                days.aggregate(connection, store.url, day, run_id)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            sections = report.sections(ReportData(connection, store.url), week)
        made = Edition(report.title, week, sections, datetime.now(UTC), run_id)
        files, folder = made.files(), f"reports/{report.name}/{week.monday}"
        for name, body in files.items():
            store.put(f"{folder}/{name}", body)
        editions.record(connection, report.name, week.monday, folder, run_id)
        attached = {name: body for name, body in files.items() if not name.endswith(".html")}
        is_mailed = to is not None and editions.mail_once(
            connection, report.name, week.monday, to, f"{report.title}, {week}", _text(report, sections), attached
        )
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(f"{store.url}/{folder}/report.html"),
            "pdf": dg.MetadataValue.url(f"{store.url}/{folder}/report.pdf"),
            "mailed": "now" if is_mailed else "before" if to else "nowhere: LASTMILE_REPORT_MAIL is not set",
        }
    )


def _text(report: WeeklyReport, sections: Sequence[object]) -> str:
    said = [f"{one.title}\n{one.text}" for one in sections if getattr(one, "text", "")]  # type: ignore[attr-defined]
    return "\n\n".join([report.description, *said, "The report is attached."])


def weekly_schedule(report: WeeklyReport) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"weekly_{report.name}",
        target=dg.AssetSelection.assets(report_key(report.name)),
        cron_schedule=report.schedule.cron,
        execution_timezone=report.schedule.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every week that is over and has no edition yet, those missed as well.",
    )
    def editions_due(context: dg.ScheduleEvaluationContext, platform: Platform) -> list[dg.RunRequest] | dg.SkipReason:
        from lastmile.operations.editions import due

        with platform.connect() as connection:
            weeks = due(connection, report.name, context.scheduled_execution_time.date())
        if not weeks:
            return dg.SkipReason("every week that is over has its edition")
        return [dg.RunRequest(run_key=f"{report.name} {week}", partition_key=str(week)) for week in weeks]

    return editions_due
