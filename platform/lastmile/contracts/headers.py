"""The headers of files: which column of a contract each stands for, and names for those that have none of their own.

A header stands for a column by its exact name or alias, or else by the words and signs of one. Of a header with
repeated or empty names the first `x` keeps its name, the next are `x (2)`, `x (3)`; a third column without a name is
`column 3`, the same in every format. A contract can declare such names as aliases; being made up they stand for nothing
that is only similar to them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import pandera.polars as pa

from lastmile.contracts.names import is_unnamed, normal_name

_NUMBERED, _PLACED = re.compile(r"(.+) \((\d+)\)", re.DOTALL), re.compile(r"column (\d+)(?: \(\d+\))?")


def headers(columns: Mapping[str, pa.Column]) -> Iterator[tuple[str, str]]:
    """Every header that stands for a column, as declared, and that column."""
    for column, spec in columns.items():
        yield column, column
        for alias in (spec.metadata or {}).get("aliases", ()):
            yield alias, column


@dataclass(frozen=True)
class Headers:
    """The headers of a contract's columns: as declared, and in the form in which others are compared with them."""

    exact: Mapping[str, str]

    @classmethod
    def of(cls, columns: Mapping[str, pa.Column]) -> Self:
        return cls(dict(headers(columns)))

    @cached_property
    def loose(self) -> Mapping[str, str]:
        normal = ((normal_name(header), column) for header, column in self.exact.items())
        return {name: column for name, column in normal if name}

    def column(self, header: str) -> str | None:
        """The column that the header stands for, if any."""
        return self.exact.get(header) or self.loose.get(normal_name(header))


def distinguished(names: Sequence[str]) -> list[str]:
    """The names, each once; those that are unique already are left as they are."""
    placed = [
        f"column {place}" if not (name.isascii() and name.strip()) and is_unnamed(name) else name
        for place, name in enumerate(names, 1)
    ]
    own, seen = set(placed), Counter[str]()
    if len(own) == len(placed):
        return placed
    unique = []
    for name in placed:
        seen[name] += 1
        while seen[name] > 1 and f"{name} ({seen[name]})" in own:
            seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def made_up(names: Sequence[str]) -> set[str]:
    """Those of a header's distinguished names that `distinguished` may have made."""
    own = set(names)
    numbered = {name for name in names if (base := _NUMBERED.fullmatch(name)) and base[1] in own}
    placed = {
        name for place, name in enumerate(names, 1) if (found := _PLACED.fullmatch(name)) and int(found[1]) == place
    }
    return numbered | placed
