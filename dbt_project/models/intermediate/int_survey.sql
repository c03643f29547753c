-- Of several currencies in use in the survey's year the published one is that nearest to what the survey states.

with household as (
    select
        *,
        case
            when conversion_factor_lcu_to_ppp > 0 and hh_size_members > 0
                then
                    (total_income_lcu_per_year + value_farm_products_consumed_lcu_per_year)
                    / ({{ dollar_a_day_lcu() }})
        end as value_ppp
    from {{ ref('int_household') }}
),

survey as (
    select
        survey_id,
        min(country) as country,
        min(survey_year) as survey_year,
        count(*) as households,
        count(value_ppp) as households_with_value,
        percentile_cont(0.5) within group (order by conversion_factor_lcu_to_ppp) as conversion_factor_lcu_to_ppp,
        percentile_cont(0.5) within group (order by value_ppp) as median_value_ppp_per_person_per_day
    from household
    group by survey_id
),

of_its_year as (
    select
        survey.survey_id,
        survey.conversion_factor_lcu_to_ppp / published.lcu_per_ppp_dollar as ratio,
        published.currency,
        published.lcu_per_ppp_dollar,
        row_number() over (
            partition by survey.survey_id, published.currency order by published.from_year desc
        ) as age
    from survey
    left join {{ ref('country_names') }} as named on survey.country = named.name
    inner join {{ ref('conversion_factors') }} as published
        on
            coalesce(named.country_code, survey.country) = published.country_code
            and survey.survey_year >= published.from_year
            and survey.survey_year <= coalesce(published.to_year, survey.survey_year)
    where survey.conversion_factor_lcu_to_ppp > 0
),

by_distance as (
    select
        *,
        row_number() over (partition by survey_id order by abs({{ power_of_ten('ratio') }}), currency) as distance
    from of_its_year
    where age = 1
)

select
    survey.*,
    nearest.lcu_per_ppp_dollar as published_factor_lcu_to_ppp,
    nearest.currency as published_currency
from survey
left join by_distance as nearest on survey.survey_id = nearest.survey_id and nearest.distance = 1
