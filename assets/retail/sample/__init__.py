"""Generated days of an online shop in the shape of the UCI set "Online Retail", clean or with known faults."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from assets.retail.sample.shop import DATASET, generate_shop
from lastmile.sampling import Dirt, Truth
from lastmile.sampling.sample import Done, Sample

__all__ = ["generate_shop", "sample"]


def make(to: Path, size: int, partitions: Sequence[str], seed: int, dirt: Dirt, done: Done) -> Truth:
    """These days with so many invoices each, on average."""
    days = [date.fromisoformat(day) for day in partitions]
    return generate_shop(to, days, size, seed, dirt, done=lambda _, drops: done(drops))


sample = Sample(
    name="retail",
    description="lines of an online shop's invoices",
    datasets=(DATASET,),
    counted="invoices a day, of 22 lines each",
    size=50,
    unit="day",
    partitions="2023-11-01:2024-03-31",
    make=make,
)
