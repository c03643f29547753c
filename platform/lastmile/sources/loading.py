"""Finding the sources of a project: the variable `source` of each file in a domain's `sources/`."""

from collections.abc import Mapping
from types import ModuleType

from lastmile.contracts import Contract
from lastmile.contracts.broken import Declarations
from lastmile.contracts.loading import load
from lastmile.sources.declarations.source import Misdeclared, Source


def load_sources(assets: str, contracts: Mapping[str, Contract] | None) -> Declarations[Source]:
    """By name; see `load_contracts`. One for a dataset without a contract is broken, unless contracts are None: they
    may be yet to be written."""

    def checked(_: ModuleType, source: Source) -> Source:
        if contracts is not None and source.dataset not in contracts:
            known = ", ".join(sorted(contracts)) or "none"
            raise Misdeclared(f"source {source.name}: dataset {source.dataset!r} has no contract; there are: {known}")
        return source

    return load(assets, "sources", "source", Source, checked)
