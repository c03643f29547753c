"""The four tables of a part of a survey, clean: people and wealth first, then farm, income and food security."""

import numpy as np
import polars as pl

from assets.household_survey.sample.amounts import Floats, listed, lognormal, pick, without_nan
from assets.household_survey.sample.animals import KINDS, keep, livestock_units, produce
from assets.household_survey.sample.crops import grow
from assets.household_survey.sample.food import food_security
from assets.household_survey.sample.income import branch, off_farm, ratios, reported, year_totals
from assets.household_survey.sample.shape import HHINFO
from assets.household_survey.sample.surveys import Survey

#: Households drawn at once: it bounds memory, and is fixed so that a survey's rows never depend on how it is written.
PART = 5_000
LARGEST_HOUSEHOLD = 40
TYPES = ("couple", "woman_single", "man_single", "polygamous", "together")
TYPE_SHARES = (0.8, 0.11, 0.03, 0.02, 0.01)
VILLAGES = ("bushumba", "lemo", "yorosso", "falmey", "mushinga", "west_gonja", "bouaké", "são_tomé", "thiès")
COUNTS = (
    *("foodshortage_count", "nr_months_food_shortage", "hdds_good_season", "hdds_good_season_farm"),
    *("hdds_good_season_bought", "hdds_bad_season_farm", "hdds_bad_season_bought", "hdds_last_month_farm"),
    *("hdds_last_month_bought", "travel_time_cities"),
)


def tables(survey: Survey, part: int) -> dict[str, pl.DataFrame]:
    """Tables by name for one PART of a survey's households, counted from 0. The same arguments give the same rows."""
    first = part * PART
    rows = min(PART, survey.households - first)
    rng = np.random.default_rng([survey.seed, 2, survey.index, part])
    numbers = pl.int_range(first + 1, first + rows + 1, eager=True).cast(pl.String)
    hhid = survey.id_form + "_" + numbers + "_1"

    wealth = survey.wealth + rng.normal(0, 1, rows)
    members = np.clip(np.round(survey.country.members * lognormal(rng, 0.5, rows)), 1, LARGEST_HOUSEHOLD)
    mae = np.round(members * rng.uniform(0.55, 0.95, rows), 2)
    land = _land(rng, wealth, members)
    crop, grown, fields = grow(rng, survey, hhid, land, members, np.exp(0.4 * wealth) * lognormal(rng, 0.7, rows))
    lstk, heads = keep(rng, hhid, wealth)
    lstk_prod, products = produce(rng, survey, hhid, heads, members)
    outside = off_farm(rng, survey, wealth)
    totals = year_totals(fields, products, outside["off_farm_lcu"])
    standing = _standing(rng, survey, totals, members)

    units = livestock_units(heads)
    farm: dict[str, Floats] = {
        **outside,
        **branch("crop", fields),
        **branch("lstk", products),
        "crop_div": grown.sum(1).astype(float),
        "lstk_div": (heads > 0).sum(1).astype(float),
    }
    columns: dict[str, pl.Series | Floats] = {
        "hhid": hhid,
        **_place(rng, survey, rows),
        **_people(rng, survey, standing, land),
        **food_security(rng, survey, standing),
        **farm,
        **reported(rng, totals),
        **ratios(survey, land, units, mae, members, farm),
        "hh_size_members": members,
        "hh_size_mae": mae,
        "land_cultivated_ha": land,
        "livestock_tlu": units,
        "crop_name": listed(grown, tuple(sorted(survey.country.crops))),
        "lstk_name": listed(heads > 0, KINDS),
    }
    hhinfo = without_nan(pl.DataFrame(columns).with_columns(**_of_survey(survey)).select(HHINFO))
    return {"hhinfo": hhinfo.cast(dict.fromkeys(COUNTS, pl.Int64)), "crop": crop, "lstk": lstk, "lstk_prod": lstk_prod}


def parts(survey: Survey) -> range:
    return range(-(-survey.households // PART))


def _land(rng: np.random.Generator, wealth: Floats, members: Floats) -> Floats:
    """Hectares; one household in fourteen has none."""
    land = 1.2 * np.exp(0.35 * wealth) * lognormal(rng, 0.85, len(wealth)) * (members / 6) ** 0.4
    return np.where(rng.random(len(wealth)) < 0.07, 0.0, np.round(np.clip(land, 0.02, 150), 3))


def _standing(rng: np.random.Generator, survey: Survey, totals: dict[str, Floats], members: Floats) -> Floats:
    """How well off, about standard normal: the logarithm of dollars per person and day, blurred, so that what is made
    from it says something about the vulnerability level, but far from all."""
    lcu = totals["total_income_lcu_per_year"] + totals["value_farm_products_consumed_lcu_per_hh_per_year"]
    value = np.log(lcu / survey.true_factor / 365 / members + 0.02)
    return 0.65 * (value + 0.2) / 1.3 + rng.normal(0, 0.75, len(members))


def _place(rng: np.random.Generator, survey: Survey, rows: int) -> dict[str, pl.Series | Floats]:
    country, where = survey.country, np.random.default_rng([survey.seed, 3, survey.index])
    latitude, longitude = where.uniform(*country.latitude), where.uniform(*country.longitude)
    city = rng.random(rows)
    region = pick(country.regions, rng.integers(0, len(country.regions), rows))
    village = pick(VILLAGES, rng.integers(0, len(VILLAGES), rows))
    return {
        "region": region if "region" in survey.asks else pl.repeat(None, rows, dtype=pl.String, eager=True),
        "sublocation": village if "sublocation" in survey.asks else pl.repeat(None, rows, dtype=pl.String, eager=True),
        "gps_lat": np.round(latitude + rng.normal(0, 0.2, rows), 1),
        "gps_lon": np.round(longitude + rng.normal(0, 0.2, rows), 1),
        "population_2020": np.round(60 * np.exp(2 * city) * lognormal(rng, 0.7, rows), 1),
        "travel_time_cities": np.round(180 * np.exp(-2 * city) * lognormal(rng, 0.4, rows)),
    }


def _people(rng: np.random.Generator, survey: Survey, standing: Floats, land: Floats) -> dict[str, pl.Series | Floats]:
    rows = len(standing)
    kind = np.searchsorted(np.cumsum(TYPE_SHARES), rng.random(rows))
    women = np.clip(rng.normal(0.45, 0.25, rows), 0, 1)
    young = rng.random((2, rows)) * (rng.random((2, rows)) < 0.06)
    owned = np.round(land * lognormal(rng, 0.3, rows), 3)
    poor = 100 / (1 + np.exp(0.8 + 0.5 * standing + rng.normal(0, 1.2, rows)))
    asks_ppi = "ppi" in survey.asks
    return {
        "household_type": pick((*TYPES, None), kind),
        "land_owned_ha": np.where((rng.random(rows) < 0.9) & ("land_owned" in survey.asks), owned, np.nan),
        "ppi_likelihood": np.round(np.where(asks_ppi, poor, np.nan), 1),
        "ppi_limit": np.full(rows, (1.75, 1.9, 2.5)[survey.index % 3] if asks_ppi else np.nan),
        "proportion_of_value_controlled_female_youth": np.round(women * young[0], 4),
        "proportion_of_value_controlled_female_adult": np.round(women * (1 - young[0]), 4),
        "proportion_of_value_controlled_male_youth": np.round((1 - women) * young[1], 4),
        "proportion_of_value_controlled_male_adult": np.round((1 - women) * (1 - young[1]), 4),
    }


def _of_survey(survey: Survey) -> dict[str, pl.Expr]:
    """What is the same for all households of a survey."""
    country = survey.country
    farming_system = country.farming_system if "farming_system" in survey.asks else ""
    return {
        "id_form": pl.lit(survey.id_form),
        "year": pl.lit(survey.year),
        "country": pl.lit(country.name),
        "currency_conversion_lcu_to_ppp": pl.lit(survey.factor),
        "farming_system": pl.lit(farming_system or None, dtype=pl.String),
        "koeppen": pl.lit(country.koeppen),
        "large_region": pl.lit(country.large_region),
    }
