"""What an export declares."""

import re
from dataclasses import dataclass
from typing import Literal

from lastmile.contracts.broken import Declarations
from lastmile.contracts.loading import load
from lastmile.operations.schedule import Schedule

Format = Literal["parquet", "csv", "table"]
Unit = Literal["year", "month", "day"]

NIGHTLY = Schedule("0 4 * * *")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RELATION = re.compile(rf"{_NAME.pattern}\.{_NAME.pattern}")


@dataclass(frozen=True)
class Export:
    """One relation to one target. Without `window` a change of any row exports all of them anew.

    `columns` are all but the personal ones where not given; `personal` names those that are exported nevertheless.
    """

    name: str
    description: str
    owner: str
    #: `schema.relation` of the warehouse.
    source: str
    #: Name of a target in LASTMILE_EXPORT_TARGETS; none: the platform's own store.
    to: str | None = None
    format: Format = "parquet"
    #: A column by whose values the rows are exported and replaced; of a date or timestamp, its year, month or day.
    window: str | None = None
    by: Unit | None = None
    columns: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    #: Of the format "table": where it is in the target's database.
    table: str | None = None
    schedule: Schedule = NIGHTLY

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"export {self.name!r}: expected a name of lower-case letters, digits and _")
        for relation in filter(None, (self.source, self.table)):
            if not _RELATION.fullmatch(relation):
                raise ValueError(f"export {self.name}: expected schema.relation; found {relation!r}")
        if self.format == "table" and self.to is None:
            raise ValueError(f"export {self.name}: a table needs `to`, the target whose database it is in")
        if self.by and not self.window:
            raise ValueError(f"export {self.name}: `by` needs `window`, the column it is the unit of")
        if self.columns and (lacking := {*self.personal, *filter(None, [self.window])} - {*self.columns}):
            raise ValueError(f"export {self.name}: `columns` lacks {', '.join(sorted(lacking))}")

    @property
    def target_table(self) -> str:
        return self.table or f"lastmile.{self.name}"


def load_exports(assets: str) -> Declarations[Export]:
    """The variable `export` of every file in a domain's `exports/`, by name; see `load_contracts`."""
    return load(assets, "exports", "export", Export, lambda module, export: export)
