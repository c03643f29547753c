"""The columns of the four RHoMIS tables, in the order in which real files have them."""

FOOD_GROUPS = (
    *("G1_Grains_Roots_Tubers", "G2_Legumes", "G3_Nuts_Seeds", "G4_Milk", "G5_Meat", "G6_Eggs"),
    *("G7_Leafy_Vegetables", "G8_VitA_Fruits_Vegetables", "G9_Other_Vegetables", "G10_Other_Fruits"),
)
HDDS = tuple(f"HDDS_{group}" for group in FOOD_GROUPS)
FARMHDDS = tuple(f"FARMHDDS_{group}" for group in FOOD_GROUPS)
FIES = (
    *("FIES_1_Worried", "FIES_2_UnableHealthy", "FIES_3_FewKinds", "FIES_4_SkipMeal"),
    *("FIES_5_AteLess", "FIES_6_RunOut", "FIES_7_Hungry", "FIES_8_SkipDay"),
)

HHINFO = (
    *("hhid", "id_form", "year", "country", "region", "sublocation", "gps_lat", "gps_lon"),
    *("currency_conversion_lcu_to_ppp", "hh_size_mae", "hh_size_members", "household_type", "land_owned_ha"),
    *("hfias_status", "foodshortage_months", "foodshortage_count", *HDDS),
    *("hdds_score", "hdds_bad_season", "hdds_last_month", *FARMHDDS, "farmhdds_score", *FIES, "fies_score"),
    *("off_farm_lcu", "off_farm_div", "ppi_likelihood", "ppi_limit"),
    *("worst_food_security_month", "best_food_security_month", "nr_months_food_shortage"),
    *("hdds_good_season", "hdds_good_season_farm", "hdds_good_season_bought"),
    *("hdds_bad_season_farm", "hdds_bad_season_bought", "hdds_last_month_farm", "hdds_last_month_bought"),
    *("crop_income_lcu_per_year", "livestock_income_lcu_per_year", "off_farm_income_lcu_per_year"),
    *("total_income_lcu_per_year", "value_crop_consumed_lcu_per_hh_per_year"),
    *("value_livestock_products_consumed_lcu_per_hh_per_year", "value_farm_products_consumed_lcu_per_hh_per_year"),
    *("crop_consumed_calories_kcal_per_hh_per_year", "livestock_consumed_calories_kcal_per_hh_per_year"),
    "farm_products_consumed_calories_kcal_per_hh_per_year",
    *("proportion_of_value_controlled_female_youth", "proportion_of_value_controlled_female_adult"),
    *("proportion_of_value_controlled_male_youth", "proportion_of_value_controlled_male_adult"),
    *("farming_system", "population_2020", "travel_time_cities", "koeppen", "large_region", "land_cultivated_ha"),
    *("crop_div", "crop_name", "crop_harvest_kg", "crop_yield_kg_per_ha", "crop_sold_kg", "crop_sold_perc"),
    *("crop_income_div", "crop_income_lcu", "crop_value_lcu", "crop_consumed_kcal", "crop_yield_value_lcu_per_ha"),
    *("livestock_tlu", "lstk_div", "lstk_name", "lstk_harvest_kg", "lstk_yield_kg_per_tlu", "lstk_sold_kg"),
    *("lstk_sold_perc", "lstk_income_div", "lstk_income_lcu", "lstk_value_lcu", "lstk_consumed_kcal"),
    *("lstk_yield_value_lcu_per_tlu", "farm_div", "farm_harvest_kg", "farm_sold_perc_kg", "farm_income_div"),
    *("farm_income_lcu", "farm_consumed_kcal", "income_lcu", "income_usd", "income_per_person_per_day_usd"),
    *("off_farm_perc", "pop_pressure_mae_per_ha", "lstk_pressure_tlu_per_ha"),
)
CROP = (
    *("hhid", "name", "harvest_kg", "consumed_kg", "sold_kg", "income_lcu", "prop_land_area", "intercrop", "use_list"),
    *("crop_residue_use", "control_consumed_female", "control_income_female", "prop_harvest", "land_area_ha"),
)
LSTK = ("hhid", "name", "n")
LSTK_PROD = (
    *("hhid", "name", "prod", "harvest_kg", "consumed_kg", "sold_kg", "income_lcu", "use_list"),
    *("control_consumed_female", "control_income_female"),
)

TABLES = {"hhinfo": HHINFO, "crop": CROP, "lstk": LSTK, "lstk_prod": LSTK_PROD}
