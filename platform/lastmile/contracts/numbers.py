"""How the numbers of one drop are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one drop are written: `1.234,5` has decimal `,` and thousands `.`; "" where none are grouped.

    It is found once for the whole drop and stands in the ledger, so that no text of the drop ever changes its meaning.
    """

    decimal: str = "."
    thousands: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """The number format among what was found about a file, under the names `decimal` and `thousands`."""
        return cls(found.get("decimal", "."), found.get("thousands", ""))


PLAIN = NumberFormat()
