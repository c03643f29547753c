"""The contract of a dataset by its name."""

from collections.abc import Mapping

from lastmile.contracts.broken import Broken
from lastmile.contracts.contract import Contract
from lastmile.errors import UserError


def contract_of(dataset: str, contracts: Mapping[str, Contract]) -> Contract:
    """Raises UserError, with the names there are, where none of the contracts is that dataset's, or its file is
    broken."""
    if dataset not in contracts:
        if broken := broken_file_of(dataset, contracts):
            raise UserError(f"{broken}; correct that file")
        raise UserError(f"no dataset {dataset!r}; there are: {', '.join(sorted(contracts))}")
    return contracts[dataset]


def broken_file_of(dataset: str, contracts: Mapping[str, Contract]) -> Broken | None:
    """The file that would declare the dataset and cannot be used, where there is one."""
    return next((one for one in getattr(contracts, "broken", ()) if dataset in one.names), None)
