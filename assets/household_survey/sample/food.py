"""Food security of a survey's households: what they eat and lack, from how well off they are."""

import numpy as np
import polars as pl

from assets.household_survey.sample.amounts import Flags, Floats, listed, pick
from assets.household_survey.sample.countries import MONTHS
from assets.household_survey.sample.shape import FARMHDDS, FIES, HDDS
from assets.household_survey.sample.surveys import Survey

STATUS = ("severely_fi", "moderately_fi", "mildly_fi", "food_secure")
#: How common each food group is, as log-odds of a middling household.
COMMON_FOOD = np.array([2.5, 0.6, -0.6, -0.4, 0.0, -0.8, 0.5, -0.5, 0.8, -0.4])
#: The signs of food insecurity from worry to a day without food, as log-odds of a middling household.
COMMON_HUNGER = np.array([1.0, 0.8, 0.9, 0.1, 0.4, -0.3, -0.6, -1.4])


def food_security(rng: np.random.Generator, survey: Survey, standing: Floats) -> dict[str, pl.Series | Floats]:
    """Columns of `hhinfo`. `standing` is how well off a household is, about standard normal."""
    rows = len(standing)
    status = np.digitize(standing + rng.normal(0, 1.2, rows), [-1.3, -0.7, -0.4])
    return {
        "hfias_status": pick(STATUS, status),
        **_months(rng, survey, standing),
        **_diet(rng, survey, standing),
        **_hunger(rng, survey, standing),
    }


def _flags(rng: np.random.Generator, log_odds: Floats, lean: Floats) -> Flags:
    odds = log_odds + lean[:, None]
    drawn: Flags = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    return drawn


def _asked(survey: Survey, question: str, values: Floats) -> Floats:
    return values if question in survey.asks else np.full_like(values, np.nan)


def _months(rng: np.random.Generator, survey: Survey, standing: Floats) -> dict[str, pl.Series | Floats]:
    """Months short of food, from the start of the lean season; 0 where it was not asked, as in real files."""
    rows = len(standing)
    start = 3 + survey.index % 5 + rng.integers(0, 3, rows)
    number = np.clip(rng.poisson(np.exp(0.6 - 0.45 * standing)), 0, 12) * ("months" in survey.asks)
    short = (np.arange(12) - start[:, None]) % 12 < number[:, None]
    some = number > 0
    worst = np.where(some, start % 12, 12)
    return {
        "foodshortage_months": listed(short, MONTHS),
        "foodshortage_count": number.astype(float),
        "worst_food_security_month": pick((*MONTHS, None), worst),
        "best_food_security_month": pick((*MONTHS, None), np.where(some, (start + 5) % 12, 12)),
        "nr_months_food_shortage": np.where(some, number, np.nan),
    }


def _diet(rng: np.random.Generator, survey: Survey, standing: Floats) -> dict[str, pl.Series | Floats]:
    rows = len(standing)
    eaten = _flags(rng, COMMON_FOOD, 0.5 * standing)
    eaten[:, 0] |= ~eaten.any(1)
    own = eaten & _flags(rng, np.zeros(10), 0.3 * standing)
    score, farm = eaten.sum(1).astype(float), own.sum(1).astype(float)
    good = np.minimum(score + rng.binomial(4, 0.4, rows), 10)
    good_farm = np.minimum(farm + rng.binomial(2, 0.4, rows), good)
    last = np.maximum(score - rng.binomial(2, 0.3, rows), 1)
    return {
        **{name: eaten[:, place].astype(float) for place, name in enumerate(HDDS)},
        "hdds_score": score,
        "hdds_bad_season": score,
        "hdds_last_month": _asked(survey, "last_month", last),
        **{name: own[:, place].astype(float) for place, name in enumerate(FARMHDDS)},
        "farmhdds_score": farm,
        "hdds_good_season": _asked(survey, "seasons", good),
        "hdds_good_season_farm": _asked(survey, "seasons", good_farm),
        "hdds_good_season_bought": _asked(survey, "seasons", good - good_farm),
        "hdds_bad_season_farm": farm,
        "hdds_bad_season_bought": score - farm,
        "hdds_last_month_farm": _asked(survey, "last_month", np.minimum(farm, last)),
        "hdds_last_month_bought": _asked(survey, "last_month", last - np.minimum(farm, last)),
    }


def _hunger(rng: np.random.Generator, survey: Survey, standing: Floats) -> dict[str, pl.Series | Floats]:
    lean = -0.8 * standing + rng.normal(0, 1.2, len(standing))
    signs = _flags(rng, 1.5 * COMMON_HUNGER, 2 * lean)
    columns: dict[str, pl.Series | Floats] = {
        name: _asked(survey, "fies", signs[:, place].astype(float)) for place, name in enumerate(FIES)
    }
    return columns | {"fies_score": _asked(survey, "fies", signs.sum(1).astype(float))}
