-- What is known of a household apart from its income and consumption, as it was known at every moment. A version in
-- which only those changed repeats the one before it.

select
    hhid,
    survey_id,
    survey_year,
    partition_start,
    country,
    region,
    household_type,
    hh_size_members,
    hh_size_mae,
    land_owned_ha,
    land_cultivated_ha,
    livestock_tlu,
    hfias_status,
    hdds_score,
    farmhdds_score,
    fies_score,
    food_shortage_months,
    known_from,
    known_to
from {{ ref('household_history') }}
