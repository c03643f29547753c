"""Households of a RHoMIS survey: who they are, what they own, eat, earn and lack.

One row per household; a second row of the same `hhid` is the interview sent twice and is set aside as a duplicate.
Each survey asks its own choice of questions, so nearly every column may be empty or absent.

Money is in local currency units (lcu) of the survey year. The range of the conversion factor is wide on purpose: a
factor that is wrong by a thousand can only be told by comparing surveys of one country, which is done after loading.

Columns that say `measures` are part of what makes the vulnerability level, or are worked out from it; the word keeps
them and what descends from them out of the features.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Contract, Partition, boolean, code, integer, number, rule, text

#: Compounds of sixty and seventy people are real in the Sahel; beyond it stand two of 91 and 96.
LARGEST_HOUSEHOLD = 80
LARGEST_FARM_HA = 1_000
#: Three crops of the heaviest kind that `crop` takes.
HEAVIEST_HARVEST_KG = 300_000
#: Twenty times what a person eats.
MOST_EATEN_KCAL_PER_DAY = 50_000
LARGEST_SUM_LCU = 1e12

FOOD_GROUPS = {
    "g1_grains_roots_tubers": "grains, roots or tubers",
    "g2_legumes": "legumes",
    "g3_nuts_seeds": "nuts or seeds",
    "g4_milk": "milk",
    "g5_meat": "meat, poultry or fish",
    "g6_eggs": "eggs",
    "g7_leafy_vegetables": "dark green leafy vegetables",
    "g8_vita_fruits_vegetables": "fruits or vegetables rich in vitamin A",
    "g9_other_vegetables": "other vegetables",
    "g10_other_fruits": "other fruits",
}
HUNGER = {
    "fies_1_worried": "worried about not having enough food",
    "fies_2_unablehealthy": "could not eat healthy food",
    "fies_3_fewkinds": "ate only a few kinds of food",
    "fies_4_skipmeal": "skipped a meal",
    "fies_5_ateless": "ate less than they should",
    "fies_6_runout": "ran out of food",
    "fies_7_hungry": "were hungry but did not eat",
    "fies_8_skipday": "went a whole day without eating",
}


def amount(description: str, unit: str, measures: str | None = None, at_most: float | None = None) -> pa.Column:
    return number(description, unit=unit, at_least=0, at_most=at_most, measures=measures)


def money(description: str, measures: str = "income", unit: str = "lcu/year") -> pa.Column:
    return amount(description, unit, measures, at_most=LARGEST_SUM_LCU)


def count(description: str, unit: str, at_most: int | None = None, measures: str | None = None) -> pa.Column:
    return integer(description, unit=unit, at_least=0, at_most=at_most, measures=measures)


def percent(description: str, measures: str | None = None) -> pa.Column:
    return amount(description, "%", measures, at_most=100)


def energy(description: str) -> pa.Column:
    return amount(description, "kcal/year", "consumption")


def diversity(when: str, suffix: str = "") -> dict[str, pa.Column]:
    """How many of the ten food groups are eaten, as `hdds_<when><suffix>`."""
    season = when.replace("_", " ")
    source = {"": "", "_farm": " from the own farm", "_bought": " bought"}[suffix]
    return {f"hdds_{when}{suffix}": count(f"Food groups eaten{source}, {season} (HDDS).", "groups", 10)}


def eaten(prefix: str, source: str) -> dict[str, pa.Column]:
    return {f"{prefix}_{group}": boolean(f"Ate {food}{source} in the last day.") for group, food in FOOD_GROUPS.items()}


def value_controlled() -> dict[str, pa.Column]:
    people = ("female_youth", "female_adult", "male_youth", "male_adult")
    return {
        f"proportion_of_value_controlled_{who}": amount(
            f"Share of income and food value that {who.replace('_', ' ')} members decide on.", "share", "income", 1.0
        )
        for who in people
    }


def adds_up(name: str, total: str, parts: Sequence[str], description: str) -> pa.Check:
    """The total equals the sum of the parts given, within one per cent; a missing part counts nothing."""
    added = pl.sum_horizontal(pl.col(part).cast(pl.Float64) for part in parts)
    close = (pl.col(total) - added).abs() <= 0.01 * pl.max_horizontal(pl.col(total), added) + 0.01
    known = pl.any_horizontal(pl.col(part).is_not_null() for part in parts)
    return rule(name, pl.when(known).then(close), description)


def within(name: str, part: str, whole: str, description: str) -> pa.Check:
    return rule(name, pl.col(part) <= pl.col(whole) * 1.01 + 0.01, description)


HDDS_FLAGS = eaten("hdds", "")
FARM_FLAGS = eaten("farmhdds", " from the own farm")
FIES_FLAGS = {
    name: boolean(f"In the last year, members {what} for lack of money or resources.") for name, what in HUNGER.items()
}

contract = Contract(
    name="hhinfo",
    description="Households of a survey: members, land, animals, food security, income and consumption; one row each.",
    owner="team:field-data",
    partition=Partition("year", start=date(2010, 1, 1)),
    key=("hhid",),
    duplicates="first",
    expected_every=timedelta(days=366),
    tags={"domain": "household-survey", "source": "rhomis", "sensitivity": "personal"},
    columns={
        "hhid": text(
            "Household, unique over all surveys: survey, number, round.",
            required=True,
            personal=True,
            missing=("", "NA"),
            matches=r"\w+",
        ),
        "id_form": text("Survey: country, project and year.", required=True, missing=("", "NA"), matches=r"\w+"),
        "year": integer("Year of the survey.", required=True, at_least=2010, at_most=2100),
        "country": text("Country, in English, lower case.", required=True),
        "region": text("Region, as the survey names or numbers it."),
        "sublocation": text("Village or district, as the survey names or numbers it.", personal=True),
        "gps_lat": number("Latitude of the homestead.", unit="degrees", personal=True, at_least=-90, at_most=90),
        "gps_lon": number("Longitude of the homestead.", unit="degrees", personal=True, at_least=-180, at_most=180),
        "currency_conversion_lcu_to_ppp": number(
            "Price of one USD PPP.", unit="lcu/USD PPP", at_least=1e-4, at_most=1e8
        ),
        "hh_size_mae": amount("Members as male adult equivalents.", "adults", at_most=LARGEST_HOUSEHOLD),
        "hh_size_members": integer("Members.", unit="people", at_least=1, at_most=LARGEST_HOUSEHOLD),
        "household_type": text("Who heads the household (couple, woman_single, man_single, polygamous, ...)."),
        "land_owned_ha": amount("Land owned.", "ha", at_most=LARGEST_FARM_HA),
        "hfias_status": code("Food insecurity (HFIAS).", ("food_secure", "mildly_fi", "moderately_fi", "severely_fi")),
        "foodshortage_months": text("Months short of food, as first three letters, separated by blanks."),
        "foodshortage_count": count("Months short of food.", "months", 12),
        **HDDS_FLAGS,
        "hdds_score": count("Food groups eaten, of ten (HDDS).", "groups", 10),
        **diversity("bad_season"),
        **diversity("last_month"),
        **FARM_FLAGS,
        "farmhdds_score": count("Food groups eaten from the own farm, of ten.", "groups", 10),
        **FIES_FLAGS,
        "fies_score": count("Signs of food insecurity, of eight (FIES).", "signs", 8),
        "off_farm_lcu": money("Income from outside the farm."),
        "off_farm_div": count("Sources of income outside the farm.", "sources", measures="income"),
        "ppi_likelihood": percent("Chance of living below the poverty line `ppi_limit` (Poverty Probability Index)."),
        "ppi_limit": amount("Poverty line of `ppi_likelihood`.", "USD PPP/person/day"),
        "worst_food_security_month": text("Month with the least food, in the survey's language."),
        "best_food_security_month": text("Month with the most food, in the survey's language."),
        "nr_months_food_shortage": count("Months short of food.", "months", 12),
        **diversity("good_season"),
        **diversity("good_season", "_farm"),
        **diversity("good_season", "_bought"),
        **diversity("bad_season", "_farm"),
        **diversity("bad_season", "_bought"),
        **diversity("last_month", "_farm"),
        **diversity("last_month", "_bought"),
        "crop_income_lcu_per_year": money("Income from crops."),
        "livestock_income_lcu_per_year": money("Income from animals and their products."),
        "off_farm_income_lcu_per_year": money("Income from outside the farm."),
        "total_income_lcu_per_year": money("Income from crops, animals and outside the farm."),
        "value_crop_consumed_lcu_per_hh_per_year": money("Value of own crops eaten.", "consumption"),
        "value_livestock_products_consumed_lcu_per_hh_per_year": money(
            "Value of own animal products eaten.", "consumption"
        ),
        "value_farm_products_consumed_lcu_per_hh_per_year": money("Value of own farm products eaten.", "consumption"),
        "crop_consumed_calories_kcal_per_hh_per_year": energy("Energy of own crops eaten."),
        "livestock_consumed_calories_kcal_per_hh_per_year": energy("Energy of own animal products eaten."),
        "farm_products_consumed_calories_kcal_per_hh_per_year": energy("Energy of own farm products eaten."),
        **value_controlled(),
        "farming_system": text("Farming system of the place, number and name (FAO and World Bank)."),
        "population_2020": amount("People around the homestead, in 2020.", "people/km2", at_most=200_000),
        "travel_time_cities": amount("Travel time to the nearest city.", "minutes", at_most=20_000),
        "koeppen": text("Climate of the place, code and name (Koeppen-Geiger)."),
        "large_region": text("Part of the world."),
        "land_cultivated_ha": amount("Land cultivated.", "ha", at_most=LARGEST_FARM_HA),
        "crop_div": count("Crops grown.", "crops", 200),
        "crop_name": text("Crops grown, separated by blanks."),
        "crop_harvest_kg": amount("Crops harvested.", "kg/year", at_most=HEAVIEST_HARVEST_KG),
        "crop_yield_kg_per_ha": amount("Crops harvested per area.", "kg/ha/year"),
        "crop_sold_kg": amount("Crops sold.", "kg/year", "income", HEAVIEST_HARVEST_KG),
        "crop_sold_perc": percent("Share of the crop harvest sold, by weight.", "income"),
        "crop_income_div": count("Crops that gave income.", "crops", 200, "income"),
        "crop_income_lcu": money("Income from crops with known quantities."),
        "crop_value_lcu": money("Value of the crop harvest."),
        "crop_consumed_kcal": energy("Energy of own crops eaten, of those with known quantities."),
        "crop_yield_value_lcu_per_ha": money("Value of the crop harvest per area.", unit="lcu/ha/year"),
        "livestock_tlu": amount("Animals kept.", "tropical livestock units", at_most=5_000),
        "lstk_div": count("Kinds of animals kept.", "kinds", 50),
        "lstk_name": text("Kinds of animals kept, separated by blanks."),
        "lstk_harvest_kg": amount("Animal products.", "kg/year", at_most=HEAVIEST_HARVEST_KG),
        "lstk_yield_kg_per_tlu": amount("Animal products per tropical livestock unit.", "kg/TLU/year"),
        "lstk_sold_kg": amount("Animal products sold.", "kg/year", "income", HEAVIEST_HARVEST_KG),
        "lstk_sold_perc": percent("Share of animal products sold, by weight.", "income"),
        "lstk_income_div": count("Animal products that gave income.", "products", 200, "income"),
        "lstk_income_lcu": money("Income from animal products with known quantities."),
        "lstk_value_lcu": money("Value of animal products."),
        "lstk_consumed_kcal": energy("Energy of own animal products eaten, of those with known quantities."),
        "lstk_yield_value_lcu_per_tlu": money("Value of animal products per livestock unit.", unit="lcu/TLU/year"),
        "farm_div": count("Crops and kinds of animals.", "kinds", 200),
        "farm_harvest_kg": amount("Crops and animal products.", "kg/year", at_most=2 * HEAVIEST_HARVEST_KG),
        "farm_sold_perc_kg": percent("Share of crops and animal products sold, by weight.", "income"),
        "farm_income_div": count("Crops and animal products that gave income.", "products", 200, "income"),
        "farm_income_lcu": money("Income from crops and animal products with known quantities."),
        "farm_consumed_kcal": energy("Energy of own farm products eaten, of those with known quantities."),
        "income_lcu": money("Income from the farm, where quantities are known, and from outside it."),
        "income_usd": money("The same at purchasing power.", unit="USD PPP/year"),
        "income_per_person_per_day_usd": money("The same per member and day.", unit="USD PPP/person/day"),
        "off_farm_perc": percent("Share of income from outside the farm.", "income"),
        "pop_pressure_mae_per_ha": amount("Members as male adult equivalents per cultivated area.", "adults/ha"),
        "lstk_pressure_tlu_per_ha": amount("Animals per cultivated area.", "TLU/ha"),
    },
    rules=(
        rule(
            "hhid_of_survey",
            pl.col("hhid").str.starts_with(pl.col("id_form")),
            "The household's id begins with its survey's.",
        ),
        rule(
            "year_of_survey",
            pl.col("id_form").str.extract(r"_(\d{4})$").cast(pl.Int64, strict=False) == pl.col("year"),
            "The year is the one at the end of the survey's id.",
        ),
        rule(
            "whole_position",
            pl.col("gps_lat").is_null() == pl.col("gps_lon").is_null(),
            "A position has both latitude and longitude, or neither.",
        ),
        rule(
            "adults_within_members",
            pl.col("hh_size_mae") <= pl.col("hh_size_members") + 1e-6,
            "Adult equivalents are at most the members.",
        ),
        rule(
            "months_counted",
            pl.col("foodshortage_months").str.count_matches(r"\S+") == pl.col("foodshortage_count"),
            "The count of months short of food equals the months listed.",
        ),
        rule(
            "plausible_diet",
            pl.col("farm_products_consumed_calories_kcal_per_hh_per_year")
            <= pl.col("hh_size_members") * (365 * MOST_EATEN_KCAL_PER_DAY),
            f"A member eats at most {MOST_EATEN_KCAL_PER_DAY:,} kcal of own products a day.",
        ),
        adds_up("hdds_adds_up", "hdds_score", list(HDDS_FLAGS), "The score equals the food groups eaten."),
        adds_up(
            "farmhdds_adds_up",
            "farmhdds_score",
            list(FARM_FLAGS),
            "The score equals the food groups eaten from the farm.",
        ),
        adds_up("fies_adds_up", "fies_score", list(FIES_FLAGS), "The score equals the signs of food insecurity."),
        adds_up(
            "income_adds_up",
            "total_income_lcu_per_year",
            ("crop_income_lcu_per_year", "livestock_income_lcu_per_year", "off_farm_income_lcu_per_year"),
            "Total income equals income from crops, animals and outside the farm, give or take 1 %.",
        ),
        adds_up(
            "consumption_adds_up",
            "value_farm_products_consumed_lcu_per_hh_per_year",
            ("value_crop_consumed_lcu_per_hh_per_year", "value_livestock_products_consumed_lcu_per_hh_per_year"),
            "Value of farm products eaten equals that of crops and of animal products, give or take 1 %.",
        ),
        within(
            "farmhdds_within_hdds",
            "farmhdds_score",
            "hdds_score",
            "No more food groups come from the farm than are eaten.",
        ),
        within("crops_sold_within_harvest", "crop_sold_kg", "crop_harvest_kg", "Crops sold weigh at most the harvest."),
        within(
            "products_sold_within_harvest",
            "lstk_sold_kg",
            "lstk_harvest_kg",
            "Animal products sold are at most all of them.",
        ),
    ),
)
