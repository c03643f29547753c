"""Labelled households to train on, made from files as the platform makes them: intake, dbt, feature set."""

import os
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from assets.household_survey.features.household_vulnerability import BOUNDS, LEVELS, features
from assets.household_survey.models.vulnerability import model
from assets.household_survey.sample.generating import generate
from benchmarks.comparing import PROJECT
from benchmarks.measuring import Failed, last_line
from benchmarks.site import opened
from lastmile.contracts import load_contracts
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.learning.features.building import build
from lastmile.learning.training.fitting import labelled
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect, libpq_environment
from lastmile.warehouse.dbt.project import DBT, prepared
from lastmile.warehouse.tables import ensure_table

REAL = PROJECT.parent / "shared" / "data" / "household_rhomis"
_YEARS = range(2015, 2020)
#: What all households of a place share; mixed, no place would be left.
_OF_A_PLACE = ("country", "large_region", "farming_system", "koeppen", "gdp_per_head_ppp")


def real(folder: Path = REAL) -> pd.DataFrame:
    """Households of the real surveys of 2015-2019. Raises FileNotFoundError where these are not there."""
    files = sorted(folder.glob("year=*/*/*.csv"))
    if not files:
        raise FileNotFoundError(f"no files in {folder}: the real surveys are not part of the project")
    return _made(
        {f"{file.stem}/{file.parts[-3].removeprefix('year=')}/{file.parent.name}/{file.name}": file for file in files}
    )


def sample(folder: Path, households: int) -> pd.DataFrame:
    """Households of a sample, whose files are written to the folder; about a tenth has no label and is left out."""
    generate(folder, households, years=_YEARS)
    return _made({file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()})


def multiplied(rows: pd.DataFrame, to: int, seed: int = 0) -> pd.DataFrame:
    """So many rows that are no copies: every other answer of each is that of another household, anywhere.

    Value and level stay those of the first one, give or take a fifth.
    """
    random, count = np.random.default_rng(seed), len(rows)
    first = np.arange(to) % count
    made = rows.iloc[first].reset_index(drop=True)
    for name in set(features.names()) - set(_OF_A_PLACE):
        from_ = np.where(random.random(to) < 0.5, first, random.integers(count, size=to))
        made[name] = rows[name].take(from_).to_numpy()
    value = made["value_ppp_per_person_per_day"] * random.lognormal(sigma=0.2, size=to)
    level = np.array(LEVELS)[(value.to_numpy()[:, None] < np.array(BOUNDS)).sum(axis=1)]
    number = pd.Series(np.arange(to) // count).astype(str)
    return made.assign(hhid=made["hhid"] + "-" + number, value_ppp_per_person_per_day=value, vulnerability_level=level)


def _made(files: Mapping[str, Path]) -> pd.DataFrame:
    """`files` by dataset/year/survey/name."""
    contracts = load_contracts()
    with opened() as site, connect(site.url) as connection:
        for contract in contracts.values():
            ensure_table(connection, contract)
        for key, file in files.items():
            site.store.put(f"landing/{key}", file)
        discover(connection, site.store, contracts)
        for contract in contracts.values():
            while ingest_pending(connection, site.store, contract, [str(year) for year in _YEARS], "benchmark"):
                pass
        environment = os.environ | site.environment | libpq_environment(site.url)
        _build(prepared(Settings(site.home, site.url, site.store_url, "assets"), contracts), environment)
        years = [(date(year, 1, 1), date(year + 1, 1, 1)) for year in _YEARS]
        return labelled(model, pd.concat([build(connection, features, year) for year in years]))


def _build(project: Path, environment: Mapping[str, str]) -> None:
    words = [DBT, "--quiet", "--log-level-file", "none", "build", "--exclude-resource-type", "unit_test", "test"]
    done = subprocess.run(
        [*words, "--project-dir", project, "--profiles-dir", project],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"dbt build: {last_line(done.stdout)}")
