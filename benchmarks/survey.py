"""The drop all benchmarks load: a household survey of 25 columns, some 281 bytes a row, with a given share of dirt.

Rows are made in batches, so that any number takes the same memory, and the same arguments always give the same bytes.
A bad row breaks one rule of its contract: an impossible number, a word where a number belongs, an unknown code or a
missing identifier. The clean rows alone, under the header of the table, are what a bare COPY can load.

    python benchmarks/survey.py --rows 1000000 --bad 0.01 --to /tmp/survey.csv --clean-to /tmp/clean.csv
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO

import numpy as np
import pandera.polars as pa
import polars as pl

from lastmile.contracts import Arrival, Contract, Partition, Policy, column

BATCH = 100_000
#: The partition that benchmarks put the survey in.
PARTITION = "2020"
COUNTRIES = ("Burundi", "Ethiopia", "Ghana", "Kenya", "Malawi", "Mali", "Rwanda", "Senegal", "Tanzania", "Uganda")
SOURCES = ("borehole", "piped", "rain", "river", "spring", "well")
ENUMERATORS = tuple(f"enumerator {number:03}" for number in range(200))
AMOUNTS = (
    "maize_kg",
    "beans_kg",
    "milk_litres",
    "eggs",
    "sold_kg",
    "eaten_kg",
    "food_kcal",
    "income_farm",
    "income_off_farm",
)

COLUMNS = {
    "visit_id": column(str, "Number of the visit.", required=True, str_matches="^(?:V[0-9]{10})$"),
    "household": column(str, "Who was visited.", required=True, personal=True),
    "country": column(str, "Where.", isin=COUNTRIES, required=True),
    "district": column(str, "District of the household."),
    "village": column(str, "Village of the household."),
    "enumerator": column(str, "Who asked.", personal=True),
    "visited_on": column(date, "When.", ge=date(2000, 1, 1)),
    "uploaded_at": column(datetime, "When the answers arrived."),
    "latitude": column(float, "Degrees north.", ge=-90, le=90),
    "longitude": column(float, "Degrees east.", ge=-180, le=180),
    "members": column(int, "People in the household.", ge=1, le=60),
    "children": column(int, "Of them below 15.", ge=0, le=50),
    "land_ha": column(float, "Land cultivated.", unit="ha", ge=0, le=1_000),
    "owns_land": column(bool, "Whether any of it is theirs."),
    "water_source": column(str, "Where water comes from.", isin=SOURCES),
    **{name: column(float, f"{name} in the year.", ge=0, le=10_000_000) for name in AMOUNTS},
    "remarks": column(str, "What else was said."),
}
SURVEY = Contract(
    name="survey",
    description="Visits to households; one row per visit.",
    owner="team:field-data",
    partition=Partition("year", start=date(2015, 1, 1)),
    key=("visit_id",),
    schema=pa.DataFrameSchema(COLUMNS),
    policy=Policy(max_bad_share=1.0),
    arrival=Arrival(quiet_period=timedelta(0)),
)


def batches(rows: int, bad: float, seed: int = 7) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    """The survey as texts, and which of its rows are bad."""
    for batch, first in enumerate(range(0, rows, BATCH)):
        random = np.random.default_rng((seed, batch))
        size = min(BATCH, rows - first)
        clean = _clean(random, first, size)
        is_bad = pl.Series(random.random(size) < bad)
        yield _dirtied(clean, is_bad, random), is_bad


def _clean(random: np.random.Generator, first: int, size: int) -> pl.DataFrame:
    def words(options: tuple[str, ...]) -> pl.Series:
        return pl.Series(options).gather(random.integers(0, len(options), size))

    def amount(mean: float) -> pl.Series:
        return pl.Series(random.lognormal(np.log(mean), 1.0, size).clip(0, 9_000_000).round(3))

    visits = pl.Series(np.arange(first, first + size))
    days = pl.Series(random.integers(0, 366, size))
    seconds = pl.Series(random.integers(0, 86_400, size))
    frame = pl.DataFrame(
        {
            "visit_id": visits,
            "household": random.integers(0, 10**8, size),
            "country": words(COUNTRIES),
            "district": random.integers(0, 500, size),
            "village": random.integers(0, 20_000, size),
            "enumerator": words(ENUMERATORS),
            "visited_on": days,
            "uploaded_at": seconds,
            "latitude": random.uniform(-30, 30, size).round(6),
            "longitude": random.uniform(-17, 50, size).round(6),
            "members": random.integers(1, 15, size),
            "children": random.integers(0, 8, size),
            "land_ha": amount(1.5),
            "owns_land": pl.Series(("yes", "no")).gather(random.integers(0, 2, size)),
            "water_source": words(SOURCES),
            **{name: amount(400) for name in AMOUNTS},
            "remarks": random.integers(0, 10**6, size),
        }
    )
    value = pl.col
    return frame.with_columns(
        visit_id=pl.lit("V") + value("visit_id").cast(pl.String).str.zfill(10),
        household=pl.lit("household ") + value("household").cast(pl.String).str.zfill(8),
        district=pl.lit("district ") + value("district").cast(pl.String),
        village=pl.lit("village ") + value("village").cast(pl.String),
        visited_on=pl.lit(date(2020, 1, 1)) + pl.duration(days=value("visited_on")),
        uploaded_at=(
            pl.lit(datetime(2020, 6, 1, tzinfo=UTC))
            + pl.duration(days=value("visited_on"), seconds=value("uploaded_at"))
        ).dt.to_string("%Y-%m-%dT%H:%M:%SZ"),
        remarks=pl.when(value("remarks") % 3 == 0)
        .then(pl.lit('they said, "a poor harvest", see sheet ') + value("remarks").cast(pl.String))
        .otherwise(pl.lit("nothing else was said on the visit; see sheet ") + value("remarks").cast(pl.String)),
    ).cast(pl.String)


def _dirtied(clean: pl.DataFrame, is_bad: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    kind = pl.Series(random.integers(0, 4, clean.height))

    def where(wanted: int) -> pl.Series:
        return is_bad & (kind == wanted)

    def put(column: str, wanted: int, value: str) -> pl.Expr:
        return pl.when(where(wanted)).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)

    return clean.with_columns(
        put("members", 0, "417"),
        put("maize_kg", 1, "about ten bags"),
        put("country", 2, "Atlantis"),
        put("household", 3, ""),
    )


def write(rows: int, bad: float, to: Path, clean_to: Path | None = None) -> int:
    """Write the survey, and its clean rows if requested; returns how many rows are bad."""
    found = 0
    with ExitStack() as files:
        survey = files.enter_context(to.open("wb"))
        clean = files.enter_context(clean_to.open("wb")) if clean_to else None
        for batch, (frame, is_bad) in enumerate(batches(rows, bad)):
            found += int(is_bad.sum())
            _append(survey, frame, batch == 0)
            if clean:
                _append(clean, frame.filter(~is_bad), batch == 0)
    return found


def _append(file: IO[bytes], frame: pl.DataFrame, with_header: bool) -> None:
    file.write(frame.write_csv(include_header=with_header).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--bad", type=float, default=0.01, help="share of rows that break a rule (0.01)")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--clean-to", type=Path)
    options = parser.parse_args()
    bad = write(options.rows, options.bad, options.to, options.clean_to)
    print(f"{options.rows:,} rows, {bad:,} of them bad, {options.to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
