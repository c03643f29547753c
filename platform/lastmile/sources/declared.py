"""A source by its name, with its contract."""

from lastmile.contracts import Contract, load_contracts
from lastmile.contracts.broken import Declarations
from lastmile.errors import UserError
from lastmile.sources.declarations.source import Source
from lastmile.sources.loading import load_sources


def find(name: str, assets: str) -> tuple[Source, Contract]:
    """Raises UserError where there is no such source, with those there are, or why its file cannot be used."""
    contracts = load_contracts(assets)
    sources = load_sources(assets, contracts)
    source = find_among(name, sources)
    return source, contracts[source.dataset]


def find_among(name: str, sources: Declarations[Source]) -> Source:
    if name in sources:
        return sources[name]
    if broken := next((one for one in sources.broken if name in one.names), None):
        raise UserError(str(broken))
    raise UserError(f"there is no source {name!r}; there are: {', '.join(sources) or 'none'}")
