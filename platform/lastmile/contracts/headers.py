"""Which column of a contract a header stands for: by its exact name or alias, or else by the words and signs of one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import pandera.polars as pa

from lastmile.contracts.names import normal_name


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
    loose: Mapping[str, str]

    @classmethod
    def of(cls, columns: Mapping[str, pa.Column]) -> Self:
        known = dict(headers(columns))
        normal = ((normal_name(header), column) for header, column in known.items())
        return cls(known, {name: column for name, column in normal if name})

    def column(self, header: str) -> str | None:
        """The column that the header stands for, if any."""
        return self.exact.get(header) or self.loose.get(normal_name(header))
