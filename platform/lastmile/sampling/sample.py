"""What a domain declares so that `lastmile sample` can make drops of it: a `sample` in its package `sample`.

sample = Sample(
    name="household_survey",
    description="surveys in the RHoMIS format",
    datasets=("hhinfo", "crop"),
    counted="households in all surveys",
    size=3000,
    unit="year",
    partitions="2019:2023",
    make=make,
)
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from lastmile.contracts.loading import rooms
from lastmile.contracts.partition import Partition, Unit
from lastmile.sampling.dirt import Dirt
from lastmile.sampling.truth import Drop, Truth

#: Called with drops once their files are complete; it may move the files away.
Done = Callable[[Sequence[Drop]], None]
#: Any partition that there can be: which ones a dataset has, its contract says.
_EARLIEST = date(1000, 1, 1)


class Make(Protocol):
    """Writes drops as `<to>/<dataset>/<partition>/...` and returns what ingesting them must give.

    The same arguments give the same files. Raises ValueError for sizes or partitions that make no sample.
    """

    def __call__(self, to: Path, size: int, partitions: Sequence[str], seed: int, dirt: Dirt, done: Done) -> Truth: ...


@dataclass(frozen=True)
class Sample:
    """A domain's sample. `size` is the default number of what is `counted`, `partitions` the default range.

    With `first_run` it fills an empty landing area when the platform starts.
    """

    name: str
    description: str
    datasets: Sequence[str]
    counted: str
    size: int
    unit: Unit
    partitions: str
    make: Make
    first_run: bool = False

    def keys(self, text: str | None = None) -> list[str]:
        """The partitions of a range such as 2021, 2019-2023 or 2024-01-01:2024-03-31. Raises ValueError."""
        text = text or self.partitions
        years = re.fullmatch(r"(\d{4})-(\d{4})", text)
        first, _, last = f"{years[1]}:{years[2]}".partition(":") if years else text.partition(":")
        try:
            return Partition(self.unit, _EARLIEST).keys(first, last or first)
        except ValueError as error:
            raise ValueError(
                f"partitions {text!r}: expected one {self.unit}, or the first and last such as {self.partitions};"
                f" {error}"
            ) from None


def load_samples(assets: str = "assets") -> dict[str, Sample]:
    """The samples that the package's domains declare, by name, in the order of the domains.

    Raises ValueError where a `sample` package declares none.
    """
    found = {}
    for module in rooms(assets, "sample"):
        sample = getattr(module, "sample", None)
        if not isinstance(sample, Sample):
            raise ValueError(  # noqa: TRY004  (it is the file that is wrong)
                f"{module.__name__}: expected a variable `sample` of type Sample; found {sample!r}"
            )
        found[sample.name] = sample
    return found
