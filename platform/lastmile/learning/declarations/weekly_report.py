"""What a weekly report declares: the sections of one week's edition, each a text, a table, a picture.

    weekly_report = WeeklyReport(
        name="programme",
        title="Household surveys",
        description="What came in, what was refused and why, and what was predicted.",
        owner="team:analytics",
        sections=sections,                  # a function of the data and the week
    )

in a file of a domain's `weekly_reports/`. The page, the PDF and the CSV files are all made of these sections.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from lastmile.operations.schedule import Schedule

if TYPE_CHECKING:
    from lastmile.learning.report_data import ReportData

MONDAY_MORNING = Schedule("0 5 * * 1")


@dataclass(frozen=True)
class Week:
    """Seven days from a Monday on."""

    monday: date

    @property
    def after(self) -> date:
        return self.monday + timedelta(days=7)

    def __str__(self) -> str:
        return f"{self.monday} to {self.after - timedelta(days=1)}"


@dataclass(frozen=True)
class Section:
    """`rows` have the same keys, the names of the table's columns; a table that may be empty names its `columns`."""

    title: str
    text: str = ""
    rows: Sequence[Mapping[str, Any]] = ()
    columns: Sequence[str] = ()
    #: PNG.
    picture: bytes | None = None

    @property
    def header(self) -> list[str]:
        return list(self.columns or (self.rows[0] if self.rows else ()))


@dataclass(frozen=True)
class WeeklyReport:
    """Mailed to LASTMILE_REPORT_MAIL where that is set."""

    name: str
    title: str
    description: str
    owner: str
    sections: "Callable[[ReportData, Week], Sequence[Section]]"
    schedule: Schedule = MONDAY_MORNING
