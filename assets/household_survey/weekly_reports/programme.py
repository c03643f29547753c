"""The week in the field: what came in, what was refused and why, and how vulnerable households are."""

from collections.abc import Sequence
from typing import Any

from assets.household_survey.features.household_vulnerability import features
from lastmile.learning import Section, Week, WeeklyReport
from lastmile.learning.report_data import ReportData

_MODEL = "vulnerability"
_DROPS = {
    "dataset": "Dataset",
    "drops": "Files",
    "rows_read": "Rows read",
    "rows_loaded": "Loaded",
    "rows_quarantined": "Quarantined",
    "rows_duplicate": "Duplicate",
}
_DAYS = {
    "day": "Day",
    "drops": "Files",
    "rows_read": "Rows read",
    "rows_loaded": "Loaded",
    "rows_quarantined": "Quarantined",
}
_PREDICTED = {"level": "Level", "version": "Model version", "predictions": "Households"}
_REASONS = {"dataset": "Dataset", "column": "Column", "rule": "Rule", "rows": "Rows", "drops": "Files"}


def sections(data: ReportData, week: Week) -> Sequence[Section]:
    """What the edition says."""
    came = data.drops_between(features.datasets, week.monday, week.after)
    read = sum(row["rows_read"] for row in came)
    refused = sum(row["rows_quarantined"] for row in came)
    share = f", {refused / read:.1%} of them quarantined" if read else ""
    predicted = data.predictions_between([_MODEL], week.monday, week.after)
    return [
        Section(
            "What came in",
            f"{sum(row['drops'] for row in came):,} files with {read:,} rows{share}.",
            _named(came, _DROPS),
            list(_DROPS.values()),
        ),
        Section(
            "Day by day",
            rows=_named(data.drops_by_day(features.datasets, week.monday, week.after), _DAYS),
            columns=list(_DAYS.values()),
        ),
        Section(
            "Rules that rows broke most",
            "Of all rows that are in quarantine today.",
            _named(data.most_broken(features.datasets), _REASONS),
            list(_REASONS.values()),
        ),
        Section(
            "Predicted levels",
            f"{sum(row['predictions'] for row in predicted):,} households were predicted this week.",
            _named(predicted, _PREDICTED),
            list(_PREDICTED.values()),
        ),
    ]


def _named(rows: Sequence[dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    return [{shown: row.get(name) for name, shown in names.items()} for row in rows]


weekly_report = WeeklyReport(
    name="programme",
    title="Household surveys",
    description="What came in during the week, what was refused and why, and the levels that were predicted.",
    owner="team:analytics",
    sections=sections,
)
