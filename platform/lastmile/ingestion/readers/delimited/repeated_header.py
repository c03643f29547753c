"""A header that stands among the records again, as in exports that were joined: known by its names, not its bytes.

It may be quoted or not, padded, in another case or order, and may name columns by their aliases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lastmile.contracts.contract import Contract
from lastmile.contracts.names import normal_name
from lastmile.ingestion.validation.header_match import fit


@dataclass(frozen=True)
class RepeatedHeader:
    """Tells whether cells are the names of this header again.

    They are where each is one of its names and none is missing, or where they name every column that the contract has
    of it, of at least two. Of a header of several `lines`, each is known by itself. `first` is what
    the first cell may be, in lower case; no other record is looked at.
    """

    names: Sequence[str]
    contract: Contract
    lines: Sequence[Sequence[str]]
    first: frozenset[str]

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

    def _keys(self, cells: Iterable[str]) -> set[str]:
        normal = map(normal_name, cells)
        return {self._columns.get(name, name) for name in normal}

    def may_be(self, first: str) -> bool:
        """Whether a record with this first cell may be the header again: the cheap test before `is_in`."""
        return first.strip().lower() in self.first

    def is_in(self, cells: Sequence[str]) -> bool:
        """Whether these are the cells of the header again."""
        if self._lines and tuple(map(normal_name, cells)) in self._lines:
            return True
        found = self._keys(cells)
        return found == self._all or (len(self._declared) > 1 and self._declared <= found)
