"""Samples into the landing area: drops of a domain that show the platform at work."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.sampling import Dirt, Drop, Truth
from lastmile.sampling.sample import Done, Sample
from lastmile.store import Store
from lastmile.store.landing import LANDING

Result = TypeVar("Result")
#: Writes a sample into a folder; `done` is called with drops as they become complete.
Write = Callable[[Path, Done], Truth]


def write_of(sample: Sample, size: int | None, partitions: str | None, seed: int, dirt: Dirt) -> Write:
    """What writes this sample; size and partitions are the sample's own where not given. Raises UserError."""
    keys = _checked(lambda: sample.keys(partitions))
    wanted = partial(sample.make, size=sample.size if size is None else size, partitions=keys, seed=seed, dirt=dirt)
    return lambda to, done: _checked(lambda: wanted(to, done=done))


def missing_datasets(sample: Sample, contracts: Mapping[str, Contract]) -> list[str]:
    """Datasets of the sample that have no contract."""
    return sorted(set(sample.datasets) - contracts.keys())


def expect_partitions(sample: Sample, partitions: str | None, contracts: Mapping[str, Contract]) -> None:
    """Raises UserError where a dataset of the sample has no contract, or not the first or last of these partitions."""
    if missing := missing_datasets(sample, contracts):
        raise UserError(f"there is no contract of dataset {', '.join(missing)}; use --to FOLDER")
    keys = _checked(lambda: sample.keys(partitions))
    for name in sample.datasets:
        for key in (keys[0], keys[-1]):
            _checked(partial(contracts[name].partition.window, key))


def land(store: Store, write: Write, done: Done = lambda drops: None) -> Truth:
    """Put the drops into the landing area; only what is being written takes room on the disk."""
    with TemporaryDirectory(prefix="lastmile-") as folder:

        def put(drops: Sequence[Drop]) -> None:
            for drop in drops:
                file = Path(folder, drop.key)
                store.put(LANDING + drop.key, file)
                file.unlink()
            done(drops)

        return write(Path(folder), put)


def _checked(action: Callable[[], Result]) -> Result:
    try:
        return action()
    except ValueError as error:
        raise UserError(str(error)) from None
