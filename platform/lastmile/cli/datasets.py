"""The dataset that somebody names on the command line."""

from typing import TYPE_CHECKING

from lastmile.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lastmile.contracts.contract import Contract


def contract_of(dataset: str, contracts: "Mapping[str, Contract]") -> "Contract":
    """Raises UserError, with the names there are, where none of the contracts is that dataset's."""
    if dataset not in contracts:
        raise UserError(f"no dataset {dataset!r}; there are: {', '.join(sorted(contracts))}")
    return contracts[dataset]
