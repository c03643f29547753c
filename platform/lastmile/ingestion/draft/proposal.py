"""What is to be written: the columns, key, partition and format of a first contract, before it is text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lastmile.contracts.types import MISSING_CODES
from lastmile.ingestion.draft.column import Column
from lastmile.ingestion.draft.partition import Cut
from lastmile.ingestion.draft.source import Form


@dataclass(frozen=True)
class Draft:
    """A contract to be; `sources` are the names of what it was drafted from, `remarks` stand above it."""

    name: str
    sources: Sequence[str]
    columns: Sequence[Column]
    cut: Cut
    form: Form
    key: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def format(self) -> dict[str, Any]:
        """What of the files' form must be said, by the words of `Format`."""
        decimals = {one.kind.numbers.decimal for one in self.columns if one.kind and one.kind.numbers.thousands}
        given = {
            "encodings": (self.form.encoding,) if self.form.encoding else None,
            "headerless": self.form.headerless or None,
            "sheet": self.form.sheet,
            "decimal": decimals.pop() if decimals else None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def saying(self, *remarks: str) -> "Draft":
        return replace(self, remarks=(*self.remarks, *remarks))


def missing(column: Column) -> tuple[str, ...]:
    """The codes that must be said, because the type of the column does not have them; none where it has all."""
    texts = ("", "NA") if column.base == "codes" and "NA" not in column.codes else ("",)
    known = texts if column.base in ("text", "codes") else MISSING_CODES
    return () if set(column.missing) <= set(known) else ("", *column.missing)
