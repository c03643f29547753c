"""What a household earns and eats of its own, and the ratios that `hhinfo` gives of it."""

import numpy as np

from assets.household_survey.sample.amounts import Amounts, Floats, lognormal
from assets.household_survey.sample.surveys import Survey

#: Households that report nothing of their income; two in three of them nothing of what they eat either.
UNTOLD = 0.03


def off_farm(rng: np.random.Generator, survey: Survey, wealth: Floats) -> dict[str, Floats]:
    """Two in five households earn outside the farm, the richer more often and more."""
    rows = len(wealth)
    earns = rng.random(rows) < 1 / (1 + np.exp(0.5 - 0.3 * wealth))
    usd = 900 * np.exp(0.6 * wealth) * lognormal(rng, 1.2, rows)
    return {
        "off_farm_lcu": np.round(np.where(earns, usd, 0) * survey.true_factor, 2),
        "off_farm_div": np.where(earns, 1 + rng.binomial(2, 0.2, rows), np.nan),
    }


def year_totals(fields: Amounts, products: Amounts, outside: Floats) -> dict[str, Floats]:
    """Income, value and energy of what is eaten, per household and year; parts rounded before they are added."""
    crop, animal = fields.by_household(fields.income), products.by_household(products.income)
    crops_eaten, products_eaten = (
        fields.by_household(fields.consumed_value),
        products.by_household(products.consumed_value),
    )
    crop_kcal, animal_kcal = fields.by_household(fields.kcal), products.by_household(products.kcal)
    return {
        "crop_income_lcu_per_year": crop,
        "livestock_income_lcu_per_year": animal,
        "off_farm_income_lcu_per_year": outside,
        "total_income_lcu_per_year": np.round(crop + animal + outside, 4),
        "value_crop_consumed_lcu_per_hh_per_year": crops_eaten,
        "value_livestock_products_consumed_lcu_per_hh_per_year": products_eaten,
        "value_farm_products_consumed_lcu_per_hh_per_year": np.round(crops_eaten + products_eaten, 4),
        "crop_consumed_calories_kcal_per_hh_per_year": crop_kcal,
        "livestock_consumed_calories_kcal_per_hh_per_year": animal_kcal,
        "farm_products_consumed_calories_kcal_per_hh_per_year": np.round(crop_kcal + animal_kcal, 4),
    }


def reported(rng: np.random.Generator, totals: dict[str, Floats]) -> dict[str, Floats]:
    """The totals as interviews give them: some households report nothing, so nothing can be computed for them."""
    silent = rng.random(len(totals["total_income_lcu_per_year"])) < UNTOLD
    wholly = silent & (rng.random(len(silent)) < 2 / 3)
    return {name: np.where(silent if "income" in name else wholly, np.nan, values) for name, values in totals.items()}


def branch(prefix: str, gave: Amounts) -> dict[str, Floats]:
    """The columns that crops and animals share, `crop_...` or `lstk_...`."""
    harvest, sold = gave.by_household(gave.harvest), gave.by_household(gave.sold)
    return {
        f"{prefix}_harvest_kg": harvest,
        f"{prefix}_sold_kg": np.minimum(sold, harvest),
        f"{prefix}_sold_perc": _percent(sold, harvest, otherwise=0.0),
        f"{prefix}_income_div": gave.earning,
        f"{prefix}_income_lcu": gave.by_household(gave.income),
        f"{prefix}_value_lcu": gave.by_household(gave.value),
        f"{prefix}_consumed_kcal": gave.by_household(gave.kcal),
    }


def ratios(
    survey: Survey, land: Floats, units: Floats, mae: Floats, members: Floats, of: dict[str, Floats]
) -> dict[str, Floats]:
    """Totals over both branches, and yields and pressures per hectare and livestock unit, none without land or animals.

    Dollars use the factor that the survey states.
    """
    harvest, sold = of["crop_harvest_kg"] + of["lstk_harvest_kg"], of["crop_sold_kg"] + of["lstk_sold_kg"]
    farm = np.round(of["crop_income_lcu"] + of["lstk_income_lcu"], 4)
    income = np.round(farm + of["off_farm_lcu"], 4)
    return {
        "crop_yield_kg_per_ha": per(of["crop_harvest_kg"], land),
        "crop_yield_value_lcu_per_ha": per(of["crop_value_lcu"], land),
        "lstk_yield_kg_per_tlu": per(of["lstk_harvest_kg"], units),
        "lstk_yield_value_lcu_per_tlu": per(of["lstk_value_lcu"], units),
        "farm_div": of["crop_div"] + of["lstk_div"],
        "farm_harvest_kg": np.round(harvest, 4),
        "farm_sold_perc_kg": _percent(sold, harvest, otherwise=np.nan),
        "farm_income_div": of["crop_income_div"] + of["lstk_income_div"],
        "farm_income_lcu": farm,
        "farm_consumed_kcal": np.round(of["crop_consumed_kcal"] + of["lstk_consumed_kcal"], 4),
        "income_lcu": income,
        "income_usd": np.round(income / survey.factor, 6),
        "income_per_person_per_day_usd": np.round(income / survey.factor / 365 / members, 6),
        "off_farm_perc": _percent(of["off_farm_lcu"], income, otherwise=0.0),
        "pop_pressure_mae_per_ha": per(mae, land),
        "lstk_pressure_tlu_per_ha": per(units, land),
    }


def per(amount: Floats, measure: Floats) -> Floats:
    return np.where(measure > 0, np.round(amount / np.where(measure > 0, measure, 1), 4), np.nan)


def _percent(part: Floats, whole: Floats, otherwise: float) -> Floats:
    share = np.round(100 * part / np.where(whole > 0, whole, 1), 4)
    return np.where(whole > 0, np.minimum(share, 100.0), otherwise)
