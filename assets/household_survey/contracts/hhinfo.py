"""Households of a RHoMIS survey: who they are, what they own, eat, earn and lack.

One row per household; a second row of the same `hhid` is the interview sent twice and is quarantined as a duplicate.
Each survey asks its own choice of questions, so nearly every column may be empty or absent.

Money is in local currency units (lcu) of the survey year. The range of the conversion factor is wide on purpose: a
factor that is wrong by a thousand can only be found by comparing surveys of one country, which is done after loading.

Columns that say `measures` are part of what makes the vulnerability level, or are worked out from it, or give it away:
what was harvested is in most rows what was eaten and sold. The word keeps them and what descends from them out of the
features.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandera.polars as pa
import polars as pl

from assets.household_survey.columns import money
from lastmile.contracts import Arrival, Contract, Partition, field

#: Compounds of sixty and seventy people are real in the Sahel; beyond it stand two of 91 and 96.
LARGEST_HOUSEHOLD = 80
LARGEST_FARM_HA = 1_000
#: Whatever the land: a share of it is often guessed, or missing.
HEAVIEST_HARVEST_KG = 300_000
#: Of a whole farm: the highest national yield of sugar cane (FAOSTAT, about 125 t/ha in Peru and Guatemala).
HEAVIEST_HARVEST_KG_PER_HA = 125_000
#: Twenty times what a person eats.
MOST_EATEN_KCAL_PER_DAY = 50_000

FOOD_GROUPS = (
    "g1_grains_roots_tubers",
    "g2_legumes",
    "g3_nuts_seeds",
    "g4_milk",
    "g5_meat",
    "g6_eggs",
    "g7_leafy_vegetables",
    "g8_vita_fruits_vegetables",
    "g9_other_vegetables",
    "g10_other_fruits",
)
HUNGER = (
    "fies_1_worried",
    "fies_2_unablehealthy",
    "fies_3_fewkinds",
    "fies_4_skipmeal",
    "fies_5_ateless",
    "fies_6_runout",
    "fies_7_hungry",
    "fies_8_skipday",
)


def amount(description: str, unit: str, measures: str | None = None, le: float | None = None) -> Any:
    return field(description, unit=unit, ge=0, le=le, measures=measures)


def count(description: str, unit: str, le: int | None = None, measures: str | None = None) -> Any:
    return field(description, unit=unit, ge=0, le=le, measures=measures)


def percent(description: str, measures: str | None = None) -> Any:
    return amount(description, "%", measures, le=100)


def energy(description: str) -> Any:
    return amount(description, "kcal/year", "consumption")


def eaten(food: str, from_farm: bool = False) -> Any:
    return field(f"Ate {food}{' from the own farm' if from_farm else ''} in the last day.")


def hungry(what: str) -> Any:
    return field(f"In the last year, members {what} for lack of money or resources.")


def controlled(who: str) -> Any:
    return amount(f"Share of income and food value that {who} members decide on.", "share", "income", 1.0)


def adds_up(data: pa.PolarsData, total: str, parts: Sequence[str]) -> pl.LazyFrame:
    """The total equals the sum of the parts given, within one per cent; a missing part counts nothing."""
    added = pl.sum_horizontal(pl.col(part).cast(pl.Float64) for part in parts)
    close = (pl.col(total) - added).abs() <= 0.01 * pl.max_horizontal(pl.col(total), added) + 0.01
    known = pl.any_horizontal(pl.col(part).is_not_null() for part in parts)
    return data.lazyframe.select(pl.when(known).then(close))


def within(data: pa.PolarsData, part: str, whole: str) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(part) <= pl.col(whole) * 1.01 + 0.01)


class Households(pa.DataFrameModel):
    hhid: str = field(
        "Household, unique over all surveys: survey, number, round.",
        personal=True,
        missing=("", "NA"),
        str_matches=r"^\w+$",
    )
    id_form: str = field("Survey: country, project and year.", missing=("", "NA"), str_matches=r"^\w+$")
    year: int = field("Year of the survey.", ge=2010, le=2100)
    country: str = field("Country, in English, lower case.")
    region: str | None = field("Region, as the survey names or numbers it.")
    sublocation: str | None = field("Village or district, as the survey names or numbers it.", personal=True)
    gps_lat: float | None = field("Latitude of the homestead.", unit="degrees", personal=True, ge=-90, le=90)
    gps_lon: float | None = field("Longitude of the homestead.", unit="degrees", personal=True, ge=-180, le=180)
    currency_conversion_lcu_to_ppp: float | None = field("Price of one USD PPP.", unit="lcu/USD PPP", ge=1e-4, le=1e8)
    hh_size_mae: float | None = amount("Members as male adult equivalents.", "adults", le=LARGEST_HOUSEHOLD)
    hh_size_members: int | None = field("Members.", unit="people", ge=1, le=LARGEST_HOUSEHOLD)
    household_type: str | None = field("Who heads the household (couple, woman_single, man_single, polygamous, ...).")
    land_owned_ha: float | None = amount("Land owned.", "ha", le=LARGEST_FARM_HA)
    hfias_status: str | None = field(
        "Food insecurity (HFIAS).", isin=("food_secure", "mildly_fi", "moderately_fi", "severely_fi")
    )
    foodshortage_months: str | None = field("Months short of food, as first three letters, separated by blanks.")
    foodshortage_count: int | None = count("Months short of food.", "months", 12)
    hdds_g1_grains_roots_tubers: bool | None = eaten("grains, roots or tubers")
    hdds_g2_legumes: bool | None = eaten("legumes")
    hdds_g3_nuts_seeds: bool | None = eaten("nuts or seeds")
    hdds_g4_milk: bool | None = eaten("milk")
    hdds_g5_meat: bool | None = eaten("meat, poultry or fish")
    hdds_g6_eggs: bool | None = eaten("eggs")
    hdds_g7_leafy_vegetables: bool | None = eaten("dark green leafy vegetables")
    hdds_g8_vita_fruits_vegetables: bool | None = eaten("fruits or vegetables rich in vitamin A")
    hdds_g9_other_vegetables: bool | None = eaten("other vegetables")
    hdds_g10_other_fruits: bool | None = eaten("other fruits")
    hdds_score: int | None = count("Food groups eaten, of ten (HDDS).", "groups", 10)
    hdds_bad_season: int | None = count("Food groups eaten, bad season (HDDS).", "groups", 10)
    hdds_last_month: int | None = count("Food groups eaten, last month (HDDS).", "groups", 10)
    farmhdds_g1_grains_roots_tubers: bool | None = eaten("grains, roots or tubers", True)
    farmhdds_g2_legumes: bool | None = eaten("legumes", True)
    farmhdds_g3_nuts_seeds: bool | None = eaten("nuts or seeds", True)
    farmhdds_g4_milk: bool | None = eaten("milk", True)
    farmhdds_g5_meat: bool | None = eaten("meat, poultry or fish", True)
    farmhdds_g6_eggs: bool | None = eaten("eggs", True)
    farmhdds_g7_leafy_vegetables: bool | None = eaten("dark green leafy vegetables", True)
    farmhdds_g8_vita_fruits_vegetables: bool | None = eaten("fruits or vegetables rich in vitamin A", True)
    farmhdds_g9_other_vegetables: bool | None = eaten("other vegetables", True)
    farmhdds_g10_other_fruits: bool | None = eaten("other fruits", True)
    farmhdds_score: int | None = count("Food groups eaten from the own farm, of ten.", "groups", 10)
    fies_1_worried: bool | None = hungry("worried about not having enough food")
    fies_2_unablehealthy: bool | None = hungry("could not eat healthy food")
    fies_3_fewkinds: bool | None = hungry("ate only a few kinds of food")
    fies_4_skipmeal: bool | None = hungry("skipped a meal")
    fies_5_ateless: bool | None = hungry("ate less than they should")
    fies_6_runout: bool | None = hungry("ran out of food")
    fies_7_hungry: bool | None = hungry("were hungry but did not eat")
    fies_8_skipday: bool | None = hungry("went a whole day without eating")
    fies_score: int | None = count("Signs of food insecurity, of eight (FIES).", "signs", 8)
    off_farm_lcu: float | None = money("Income from outside the farm.")
    off_farm_div: int | None = count("Sources of income outside the farm.", "sources", measures="income")
    ppi_likelihood: float | None = percent(
        "Chance of living below the poverty line `ppi_limit` (Poverty Probability Index)."
    )
    ppi_limit: float | None = amount("Poverty line of `ppi_likelihood`.", "USD PPP/person/day")
    worst_food_security_month: str | None = field("Month with the least food, in the survey's language.")
    best_food_security_month: str | None = field("Month with the most food, in the survey's language.")
    nr_months_food_shortage: int | None = count("Months short of food.", "months", 12)
    hdds_good_season: int | None = count("Food groups eaten, good season (HDDS).", "groups", 10)
    hdds_good_season_farm: int | None = count("Food groups eaten from the own farm, good season (HDDS).", "groups", 10)
    hdds_good_season_bought: int | None = count("Food groups eaten bought, good season (HDDS).", "groups", 10)
    hdds_bad_season_farm: int | None = count("Food groups eaten from the own farm, bad season (HDDS).", "groups", 10)
    hdds_bad_season_bought: int | None = count("Food groups eaten bought, bad season (HDDS).", "groups", 10)
    hdds_last_month_farm: int | None = count("Food groups eaten from the own farm, last month (HDDS).", "groups", 10)
    hdds_last_month_bought: int | None = count("Food groups eaten bought, last month (HDDS).", "groups", 10)
    crop_income_lcu_per_year: float | None = money("Income from crops.")
    livestock_income_lcu_per_year: float | None = money("Income from animals and their products.")
    off_farm_income_lcu_per_year: float | None = money("Income from outside the farm.")
    total_income_lcu_per_year: float | None = money("Income from crops, animals and outside the farm.")
    value_crop_consumed_lcu_per_hh_per_year: float | None = money("Value of own crops eaten.", "consumption")
    value_livestock_products_consumed_lcu_per_hh_per_year: float | None = money(
        "Value of own animal products eaten.", "consumption"
    )
    value_farm_products_consumed_lcu_per_hh_per_year: float | None = money(
        "Value of own farm products eaten.", "consumption"
    )
    crop_consumed_calories_kcal_per_hh_per_year: float | None = energy("Energy of own crops eaten.")
    livestock_consumed_calories_kcal_per_hh_per_year: float | None = energy("Energy of own animal products eaten.")
    farm_products_consumed_calories_kcal_per_hh_per_year: float | None = energy("Energy of own farm products eaten.")
    proportion_of_value_controlled_female_youth: float | None = controlled("female youth")
    proportion_of_value_controlled_female_adult: float | None = controlled("female adult")
    proportion_of_value_controlled_male_youth: float | None = controlled("male youth")
    proportion_of_value_controlled_male_adult: float | None = controlled("male adult")
    farming_system: str | None = field("Farming system of the place, number and name (FAO and World Bank).")
    population_2020: float | None = amount("People around the homestead, in 2020.", "people/km2", le=200_000)
    travel_time_cities: float | None = amount("Travel time to the nearest city.", "minutes", le=20_000)
    koeppen: str | None = field("Climate of the place, code and name (Koeppen-Geiger).")
    large_region: str | None = field("Part of the world.")
    land_cultivated_ha: float | None = amount("Land cultivated.", "ha", le=LARGEST_FARM_HA)
    crop_div: int | None = count("Crops grown.", "crops", 200)
    crop_name: str | None = field("Crops grown, separated by blanks.")
    crop_harvest_kg: float | None = amount("Crops harvested.", "kg/year", "harvest")
    crop_yield_kg_per_ha: float | None = amount("Crops harvested per area.", "kg/ha/year", "harvest")
    crop_sold_kg: float | None = amount("Crops sold.", "kg/year", "income")
    crop_sold_perc: float | None = percent("Share of the crop harvest sold, by weight.", "income")
    crop_income_div: int | None = count("Crops that gave income.", "crops", 200, "income")
    crop_income_lcu: float | None = money("Income from crops with known quantities.")
    crop_value_lcu: float | None = money("Value of the crop harvest.")
    crop_consumed_kcal: float | None = energy("Energy of own crops eaten, of those with known quantities.")
    crop_yield_value_lcu_per_ha: float | None = money("Value of the crop harvest per area.", unit="lcu/ha/year")
    livestock_tlu: float | None = amount("Animals kept.", "tropical livestock units", le=5_000)
    lstk_div: int | None = count("Kinds of animals kept.", "kinds", 50)
    lstk_name: str | None = field("Kinds of animals kept, separated by blanks.")
    lstk_harvest_kg: float | None = amount("Animal products.", "kg/year", "harvest", HEAVIEST_HARVEST_KG)
    lstk_yield_kg_per_tlu: float | None = amount(
        "Animal products per tropical livestock unit.", "kg/TLU/year", "harvest"
    )
    lstk_sold_kg: float | None = amount("Animal products sold.", "kg/year", "income", HEAVIEST_HARVEST_KG)
    lstk_sold_perc: float | None = percent("Share of animal products sold, by weight.", "income")
    lstk_income_div: int | None = count("Animal products that gave income.", "products", 200, "income")
    lstk_income_lcu: float | None = money("Income from animal products with known quantities.")
    lstk_value_lcu: float | None = money("Value of animal products.")
    lstk_consumed_kcal: float | None = energy("Energy of own animal products eaten, of those with known quantities.")
    lstk_yield_value_lcu_per_tlu: float | None = money(
        "Value of animal products per livestock unit.", unit="lcu/TLU/year"
    )
    farm_div: int | None = count("Crops and kinds of animals.", "kinds", 200)
    farm_harvest_kg: float | None = amount("Crops and animal products.", "kg/year", "harvest")
    farm_sold_perc_kg: float | None = percent("Share of crops and animal products sold, by weight.", "income")
    farm_income_div: int | None = count("Crops and animal products that gave income.", "products", 200, "income")
    farm_income_lcu: float | None = money("Income from crops and animal products with known quantities.")
    farm_consumed_kcal: float | None = energy("Energy of own farm products eaten, of those with known quantities.")
    income_lcu: float | None = money("Income from the farm, where quantities are known, and from outside it.")
    income_usd: float | None = money("The same at purchasing power.", unit="USD PPP/year")
    income_per_person_per_day_usd: float | None = money("The same per member and day.", unit="USD PPP/person/day")
    off_farm_perc: float | None = percent("Share of income from outside the farm.", "income")
    pop_pressure_mae_per_ha: float | None = amount(
        "Members as male adult equivalents per cultivated area.", "adults/ha"
    )
    lstk_pressure_tlu_per_ha: float | None = amount("Animals per cultivated area.", "TLU/ha")

    @pa.dataframe_check(error="The household's id begins with its survey's.")
    def hhid_of_survey(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("hhid").str.starts_with(pl.col("id_form")))

    @pa.dataframe_check(error="The year is the one at the end of the survey's id.")
    def year_of_survey(cls, data: pa.PolarsData) -> pl.LazyFrame:
        year = pl.col("id_form").str.extract(r"_(\d{4})$").cast(pl.Int64, strict=False)
        return data.lazyframe.select(year == pl.col("year"))

    @pa.dataframe_check(error="A position has both latitude and longitude, or neither.")
    def whole_position(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("gps_lat").is_null() == pl.col("gps_lon").is_null())

    @pa.dataframe_check(error="Adult equivalents are at most the members.")
    def adults_within_members(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("hh_size_mae") <= pl.col("hh_size_members") + 1e-6)

    @pa.dataframe_check(error="The count of months short of food equals the months listed.")
    def months_counted(cls, data: pa.PolarsData) -> pl.LazyFrame:
        listed = pl.col("foodshortage_months").str.count_matches(r"\S+")
        return data.lazyframe.select(listed == pl.col("foodshortage_count"))

    @pa.dataframe_check(error=f"A member eats at most {MOST_EATEN_KCAL_PER_DAY:,} kcal of own products a day.")
    def plausible_diet(cls, data: pa.PolarsData) -> pl.LazyFrame:
        most = pl.col("hh_size_members") * (365 * MOST_EATEN_KCAL_PER_DAY)
        return data.lazyframe.select(pl.col("farm_products_consumed_calories_kcal_per_hh_per_year") <= most)

    @pa.dataframe_check(error="The score equals the food groups eaten.")
    def hdds_adds_up(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return adds_up(data, "hdds_score", [f"hdds_{group}" for group in FOOD_GROUPS])

    @pa.dataframe_check(error="The score equals the food groups eaten from the farm.")
    def farmhdds_adds_up(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return adds_up(data, "farmhdds_score", [f"farmhdds_{group}" for group in FOOD_GROUPS])

    @pa.dataframe_check(error="The score equals the signs of food insecurity.")
    def fies_adds_up(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return adds_up(data, "fies_score", HUNGER)

    @pa.dataframe_check(error="Total income equals income from crops, animals and outside the farm, give or take 1 %.")
    def income_adds_up(cls, data: pa.PolarsData) -> pl.LazyFrame:
        parts = ("crop_income_lcu_per_year", "livestock_income_lcu_per_year", "off_farm_income_lcu_per_year")
        return adds_up(data, "total_income_lcu_per_year", parts)

    @pa.dataframe_check(
        error="Value of farm products eaten equals that of crops and of animal products, give or take 1 %."
    )
    def consumption_adds_up(cls, data: pa.PolarsData) -> pl.LazyFrame:
        parts = (
            "value_crop_consumed_lcu_per_hh_per_year",
            "value_livestock_products_consumed_lcu_per_hh_per_year",
        )
        return adds_up(data, "value_farm_products_consumed_lcu_per_hh_per_year", parts)

    @pa.dataframe_check(error="No more food groups come from the farm than are eaten.")
    def farmhdds_within_hdds(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return within(data, "farmhdds_score", "hdds_score")

    @pa.dataframe_check(
        error=f"Crops weigh at most {HEAVIEST_HARVEST_KG_PER_HA:,} kg per cultivated hectare, or, if that is more,"
        f" {HEAVIEST_HARVEST_KG:,} kg in all; with animal products as much again as the latter."
    )
    def harvest_of_its_land(cls, data: pa.PolarsData) -> pl.LazyFrame:
        land = pl.col("land_cultivated_ha").fill_null(0)
        heaviest = pl.max_horizontal(land * HEAVIEST_HARVEST_KG_PER_HA, HEAVIEST_HARVEST_KG)
        crops = pl.max_horizontal("crop_harvest_kg", "crop_sold_kg", pl.col("farm_harvest_kg") - HEAVIEST_HARVEST_KG)
        return data.lazyframe.select(crops <= heaviest)

    @pa.dataframe_check(error="Crops sold weigh at most the harvest.")
    def crops_sold_within_harvest(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return within(data, "crop_sold_kg", "crop_harvest_kg")

    @pa.dataframe_check(error="Animal products sold are at most all of them.")
    def products_sold_within_harvest(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return within(data, "lstk_sold_kg", "lstk_harvest_kg")


contract = Contract(
    name="hhinfo",
    schema=Households,
    description="Households of a survey: members, land, animals, food security, income and consumption; one row each.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid",),
    arrival=Arrival(expected_every=timedelta(days=366)),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
)
