"""What a report declares: a page from a template, the function that gathers what it shows, files that go with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.learning.report_data import ReportData


@dataclass(frozen=True)
class Report:
    """One HTML page: the template, a file in the report's folder, with the contents, `made_at` and `run_id`."""

    name: str
    description: str
    owner: str
    template: str
    #: Assets it is made from, such as "predictions/vulnerability" and "marts/dim_survey".
    sources: tuple[str, ...]
    #: The asset whose update makes it anew.
    follows: str
    contents: "Callable[[ReportData], Mapping[str, Any]]"
    #: What the asset's page shows of the contents: numbers, texts, and pictures as PNG.
    summary: Callable[[Mapping[str, Any]], Mapping[str, int | float | str | bytes]] = field(default=lambda _: {})
    #: Files for other programs, by name, such as tables as CSV: of the contents, with `made_at`.
    files: Callable[[Mapping[str, Any]], Mapping[str, bytes]] = field(default=lambda _: {})

    def __post_init__(self) -> None:
        if self.follows not in self.sources:
            raise ValueError(f"report {self.name}: it follows {self.follows!r}, which is not among {self.sources}")
