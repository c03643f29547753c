"""A header that stands among the records again, as in exports that were joined: known by its names, not its bytes.

It may be quoted or not, padded, in another case or order, and may name columns by their aliases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.names import normal_name
from lastmile.ingestion.readers.delimited.records import Flags
from lastmile.ingestion.validation.header_match import fit


@dataclass(frozen=True)
class RepeatedHeader:
    """Tells whether cells are the names of this header again.

    They are where each is one of its names and none is missing, or where they name every column that the contract has
    of it, of at least two. Of a header of several `lines`, each is known by itself.
    """

    names: Sequence[str]
    contract: Contract
    lines: Sequence[Sequence[str]] = ()

    @cached_property
    def _lines(self) -> set[tuple[str, ...]]:
        return {tuple(map(normal_name, line)) for line in self.lines}

    @cached_property
    def _columns(self) -> Mapping[str, str]:
        return self.contract.expanded(self.names).headers.loose

    @cached_property
    def _declared(self) -> set[str]:
        return set(fit(self.contract, self.names)[0])

    @cached_property
    def _all(self) -> set[str]:
        return self._keys(self.names)

    @cached_property
    def _spelled(self) -> frozenset[str]:
        """Every name as a first field may have it, in lower case."""
        names = [*self.names, *self._columns]
        names += [alias for column in self._declared for alias in self._aliases(column)]
        names += [line[0] for line in self.lines if line]
        return frozenset(form for name in names for form in _forms(name))

    def _aliases(self, column: str) -> Sequence[str]:
        return self.contract.expanded(self.names).metadata(column)["aliases"]

    def _keys(self, cells: Iterable[str]) -> set[str]:
        normal = map(normal_name, cells)
        return {self._columns.get(name, name) for name in normal}

    def is_in(self, cells: Sequence[str]) -> bool:
        if not cells or cells[0].strip().lower() not in self._spelled:
            return False
        if self._lines and tuple(map(normal_name, cells)) in self._lines:
            return True
        found = self._keys(cells)
        return found == self._all or (len(self._declared) > 1 and self._declared <= found)

    def flags(self, frame: pl.DataFrame) -> Flags:
        """Per row of the frame; only those whose first field is a name are looked at closely."""
        found = np.zeros(frame.height, np.bool_)
        if frame.height:
            first = frame.to_series(0).str.strip_chars().str.to_lowercase()
            for place in first.is_in(list(self._spelled)).arg_true().to_list():
                found[place] = self.is_in([cell or "" for cell in frame.row(place)])
        return found


def _forms(name: str) -> Iterable[str]:
    normal = normal_name(name)
    return {name.strip().lower(), normal, *(normal.replace("_", sign) for sign in (" ", "-", ".", ""))}
