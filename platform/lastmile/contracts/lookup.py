"""The contract of a dataset by its name."""

from collections.abc import Mapping

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError


def contract_of(dataset: str, contracts: Mapping[str, Contract]) -> Contract:
    """Raises UserError, with the names there are, where none of the contracts is that dataset's."""
    if dataset not in contracts:
        raise UserError(f"no dataset {dataset!r}; there are: {', '.join(sorted(contracts))}")
    return contracts[dataset]
