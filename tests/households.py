"""Marts of households, small enough for a test and rich enough to learn from, in the columns that dbt gives them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from psycopg import Connection

from assets.household_survey.features.household_vulnerability import features
from lastmile.learning.tables import as_polars, insert

LEVELS = ("On Track", "At Risk", "Struggling", "Severely Struggling")
BOUNDS = (2.15, 1.77, 1.25)
COUNTRIES = ("kenya", "mali", "peru")

MARTS = """
CREATE SCHEMA IF NOT EXISTS marts;
CREATE TABLE marts.dim_household (hhid text, survey_id text, survey_year bigint, partition_start date, country text,
    region text, large_region text, farming_system text, koeppen text, population_density double precision,
    travel_time_cities_minutes double precision, household_type text, hh_size_members double precision,
    hh_size_mae double precision, land_owned_ha double precision, land_cultivated_ha double precision,
    livestock_tlu double precision, crop_count bigint, livestock_heads double precision, livestock_kinds bigint,
    livestock_product_kinds bigint, hfias_status text, hdds_score bigint, farmhdds_score bigint, fies_score bigint,
    food_shortage_months bigint, gdp_per_head_ppp double precision, land_cultivated_ha_per_member double precision,
    land_owned_ha_per_member double precision, livestock_tlu_per_member double precision,
    adults_per_member double precision);
CREATE TABLE marts.fct_household_year (hhid text, survey_id text, survey_year bigint, partition_start date,
    total_income_lcu_per_year double precision, value_ppp_per_person_per_day double precision,
    vulnerability_level text);
CREATE TABLE marts.dim_survey (survey_id text, country text, survey_year bigint, households bigint,
    conversion_check text, conversion_reason text);
"""
#: Inputs that come from the mart of items: what was eaten, lacked, grown and kept.
ITEMS = tuple(name for name in features.names() if name not in MARTS.split())


def households(years: Sequence[int] = (2018, 2019), surveys: int = 5, size: int = 40, seed: int = 1) -> pd.DataFrame:
    """Land and animals make most of a household's value; every twentieth household's value is not computable."""
    random = np.random.default_rng(seed)
    count = len(years) * surveys * size
    number = np.arange(count)
    year = np.array(years)[number // (surveys * size)]
    land, animals = random.gamma(2, 1, count), random.gamma(1.5, 1, count)
    members = random.integers(1, 10, count).astype(float)
    value = 1 + 0.5 * land + 0.3 * animals - 0.1 * members + random.normal(0, 0.25, count)
    level = np.select([value >= bound for bound in BOUNDS], LEVELS[:3], LEVELS[3])
    known = number % 20 != 0
    return pd.DataFrame(
        {
            "hhid": [f"household {n}" for n in number],
            "survey_id": [f"survey {n // size}" for n in number],
            "survey_year": year,
            "partition_start": [pd.Timestamp(int(y), 1, 1) for y in year],
            "country": random.choice(COUNTRIES, count),
            "hh_size_members": members,
            "land_owned_ha": land,
            "livestock_tlu": animals,
            "hdds_score": random.integers(0, 11, count),
            "total_income_lcu_per_year": value * members * 36_500,
            "value_ppp_per_person_per_day": pd.Series(value).where(known),
            "vulnerability_level": pd.Series(level, dtype="str").where(known),
        }
    )


def put_marts(connection: Connection, rows: pd.DataFrame | None = None) -> None:
    """The rows as marts, in place of what was there; two surveys' conversion factors are in doubt."""
    rows = households() if rows is None else rows
    connection.execute("DROP SCHEMA IF EXISTS marts CASCADE")
    connection.execute(MARTS)
    items = ", ".join(f"{name} double precision" for name in ITEMS)
    connection.execute(
        f"CREATE TABLE marts.dim_household_items"
        f" (hhid text, survey_id text, survey_year bigint, partition_start date, {items})".encode()
    )
    label = ("total_income_lcu_per_year", "value_ppp_per_person_per_day", "vulnerability_level")
    key = ("hhid", "survey_id", "survey_year", "partition_start")
    insert(connection, "marts.dim_household", as_polars(rows.drop(columns=list(label)), dates=["partition_start"]))
    insert(connection, "marts.dim_household_items", as_polars(rows[list(key)], dates=["partition_start"]))
    insert(connection, "marts.fct_household_year", as_polars(rows[[*key, *label]], dates=["partition_start"]))
    connection.execute(
        """
        INSERT INTO marts.dim_survey VALUES
            ('survey 1', 'kenya', 2018, 40, 'inconsistent', 'a thousand times too <low>'),
            ('survey 2', 'mali', 2018, 40, 'undecided', 'no majority'),
            ('survey 3', 'mali', 2018, 40, 'consistent', NULL)
        """
    )
