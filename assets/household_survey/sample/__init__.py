"""Generated drops in the exact shape of RHoMIS surveys, from 100 to 10 million households, clean or with known faults.

Deterministic by seed and in constant memory. What ingesting the drops must give, row by row and drop by drop, is stated
in a `Truth`, which is kept outside the landing area. Knows the shape of the files, not the contracts they are held to.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.household_survey.sample.generating import generate
from assets.household_survey.sample.shape import TABLES
from lastmile.sampling import Dirt, Truth
from lastmile.sampling.sample import Done, Sample

__all__ = ["generate", "sample"]


def make(to: Path, size: int, partitions: Sequence[str], seed: int, dirt: Dirt, done: Done) -> Truth:
    """Surveys of so many households in all, spread over these years."""
    return generate(to, size, seed, [int(year) for year in partitions], dirt, done=lambda _, drops: done(drops))


sample = Sample(
    name="household_survey",
    description="household surveys in the RHoMIS format",
    datasets=tuple(TABLES),
    counted="households in all surveys",
    size=3000,
    unit="year",
    partitions="2019:2023",
    make=make,
    first_run=True,
)
