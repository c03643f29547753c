-- What is known of a household apart from its income and consumption, which make its level.

with household as (
    select
        household.*,
        crops.crop_count,
        livestock.livestock_heads,
        livestock.livestock_kinds,
        products.livestock_product_kinds,
        gdp.gdp_per_head_ppp,
        nullif(household.hh_size_members, 0) as members,
        -- A household without rows in a table has none of them only if its survey filled that table at all.
        {{ any_row('crops.hhid is not null') }} over survey as survey_has_crops,
        {{ any_row('livestock.hhid is not null') }} over survey as survey_has_livestock,
        {{ any_row('products.hhid is not null') }} over survey as survey_has_products
    from {{ ref('int_household') }} as household
    left join {{ ref('int_household_crops') }} as crops using (hhid, partition_start)
    left join {{ ref('int_household_livestock') }} as livestock using (hhid, partition_start)
    left join {{ ref('int_household_livestock_products') }} as products using (hhid, partition_start)
    left join {{ ref('country_names') }} as named on household.country = named.name
    left join {{ ref('gdp_per_head') }} as gdp on coalesce(named.country_code, household.country) = gdp.country_code
    window survey as (partition by survey_id)
)

select
    hhid,
    survey_id,
    survey_year,
    partition_start,
    country,
    region,
    large_region,
    farming_system,
    koeppen,
    population_density,
    travel_time_cities_minutes,
    household_type,
    hh_size_members,
    hh_size_mae,
    land_owned_ha,
    land_cultivated_ha,
    livestock_tlu,
    case when survey_has_crops then coalesce(crop_count, 0) end as crop_count,
    case when survey_has_livestock then coalesce(livestock_heads, 0) end as livestock_heads,
    case when survey_has_livestock then coalesce(livestock_kinds, 0) end as livestock_kinds,
    case when survey_has_products then coalesce(livestock_product_kinds, 0) end as livestock_product_kinds,
    hfias_status,
    hdds_score,
    farmhdds_score,
    fies_score,
    food_shortage_months,
    gdp_per_head_ppp,
    land_cultivated_ha / members as land_cultivated_ha_per_member,
    land_owned_ha / members as land_owned_ha_per_member,
    livestock_tlu / members as livestock_tlu_per_member,
    hh_size_mae / members as adults_per_member
from household
