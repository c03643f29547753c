"""Which surveys a sample consists of, before any household is drawn."""

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assets.household_survey.sample.countries import COUNTRIES, Country

#: Questions that only a part of the surveys asks, with that part; rough shares in the real drops of 2015-2019.
QUESTIONS = {
    "region": 0.8,
    "sublocation": 0.5,
    "land_owned": 0.85,
    "months": 0.9,
    "last_month": 0.75,
    "fies": 0.4,
    "ppi": 0.6,
    "seasons": 0.9,
    "farming_system": 0.75,
}
PROJECTS = len(string.ascii_lowercase + string.digits) ** 3


@dataclass(frozen=True)
class Survey:
    """One project's interviews in one country and year; `factor` is what its files state, right or wrong.

    `wealth` shifts the logarithm of what its households earn. `seed` and `index` fix everything drawn for it.
    """

    seed: int
    index: int
    id_form: str
    country: Country
    year: int
    households: int
    factor: float
    true_factor: float
    wealth: float
    asks: frozenset[str]


def plan_surveys(
    households: int, seed: int, years: Sequence[int], surveys: int | None = None, wrong_factor: float = 0.0
) -> list[Survey]:
    """The surveys of a sample; their sizes add up to `households`, about 100 to 1,000 each unless `surveys` is given.

    A share of them states a conversion factor off by a thousand: at most one in three of a country, so that the others
    of the country show it. Raises ValueError for sizes or years that make no sample.
    """
    _check(households, seed, years, surveys)
    number = surveys or max(1, round(households / float(np.clip(households / 15, 100, 550))))
    countries = max(1, min(len(COUNTRIES), number // 3))
    rng = np.random.default_rng([seed, 0])
    weights = np.cumsum(rng.uniform(0.4, 1.6, number))
    ends = np.round(weights / weights[-1] * (households - number)).astype(int) + np.arange(1, number + 1)
    sizes = np.diff(ends, prepend=0)
    wrong = _wrong(number, countries, wrong_factor)
    return [_survey(seed, index, int(sizes[index]), years, countries, index in wrong) for index in range(number)]


def _check(households: int, seed: int, years: Sequence[int], surveys: int | None) -> None:
    if seed < 0:
        raise ValueError(f"a seed is a whole number from 0; found {seed}")
    if households < 1:
        raise ValueError(f"a sample has at least 1 household; {households} were requested")
    if not years or not all(1000 <= year <= 9999 for year in years):
        raise ValueError(f"a sample has one or more years of four digits; found {list(years)}")
    if surveys is not None and not 1 <= surveys <= min(households, PROJECTS):
        raise ValueError(
            f"surveys must be between 1 and {min(households, PROJECTS)}, so that each has a household; found {surveys}"
        )


def _wrong(number: int, countries: int, share: float) -> frozenset[int]:
    """Surveys go round the countries, so the first of each three rounds are one of three of each country."""
    candidates = [index for index in range(number) if index // countries % 3 == 0 and index + 2 * countries < number]
    wanted = min(len(candidates), max(1, round(share * number))) if share else 0
    return frozenset(candidates[int(place)] for place in np.linspace(0, len(candidates) - 1, wanted))


def _survey(seed: int, index: int, households: int, years: Sequence[int], countries: int, wrong: bool) -> Survey:
    rng = np.random.default_rng([seed, 1, index])
    country = COUNTRIES[index % countries]
    year = years[(index % countries + index // countries) % len(years)]
    factor = round(country.factor * (1 + country.inflation) ** (year - 2019) * rng.uniform(0.98, 1.02), 6)
    stated = float(f"{factor * (1000 if index % 2 else 0.001):.9g}") if wrong else factor
    return Survey(
        seed=seed,
        index=index,
        id_form=f"{country.code}_{_project(seed, index)}_{year}",
        country=country,
        year=year,
        households=households,
        factor=stated,
        true_factor=factor,
        wealth=country.wealth + rng.normal(0.3, 0.5),
        asks=_asked(seed, index),
    )


def _asked(seed: int, index: int) -> frozenset[str]:
    """Questions of a survey, spread by the golden ratio, so that of a few surveys too some ask each question."""
    starts = np.random.default_rng([seed, 6]).random(len(QUESTIONS))
    shares = zip(QUESTIONS.items(), starts, strict=True)
    return frozenset(question for (question, share), start in shares if (start + 0.618034 * index) % 1 < share)


def _project(seed: int, index: int) -> str:
    """Three letters or digits, different for every index: 7919 and the number of codes have no common divisor."""
    signs = string.ascii_lowercase + string.digits
    number = (index * 7919 + seed * 131) % PROJECTS
    return signs[number // len(signs) ** 2] + signs[number // len(signs) % len(signs)] + signs[number % len(signs)]
