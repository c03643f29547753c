"""Which partitions a backfill of a range has, by the contracts of its datasets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.errors import UserError


def partition_ranges(
    contracts: Mapping[str, Contract], datasets: Sequence[str] | None, first: str, last: str
) -> list[tuple[list[str], list[str]]]:
    """Partitions from `first` to `last`, and the datasets that have exactly these and begin with the same: a backfill
    of Dagster's has no others.

    Without `datasets`, all that have such partitions. Raises UserError where a dataset or partition does not exist.
    """
    chosen = {name: contract_of(name, contracts) for name in datasets} if datasets else contracts
    ranges: dict[tuple[str, ...], list[str]] = defaultdict(list)
    problems = []
    for name, contract in chosen.items():
        try:
            keys = contract.partition.keys(first, last)
            ranges[contract.partition.start_key(), *keys].append(name)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems and (datasets or not ranges):
        raise UserError(problems[0])
    return [(keys, names) for (_, *keys), names in ranges.items()]
