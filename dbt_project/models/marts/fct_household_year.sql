-- Purchasing power per person and day is what a household earns and what it eats of its own, made comparable:
--     (income + value of farm products eaten) / conversion factor / 365 / members
-- A missing part makes it not computable; it is never taken as zero.

with surveyed as (
    select
        household.*,
        survey.conversion_check,
        survey.conversion_reason,
        survey.conversion_factor_lcu_to_ppp as factor_of_survey
    from {{ ref('int_household') }} as household
    left join {{ ref('dim_survey') }} as survey using (survey_id)
),

household as (
    select
        *,
        concat_ws(
            '; ',
            case when total_income_lcu_per_year is null then 'total income is missing' end,
            case
                when value_farm_products_consumed_lcu_per_year is null then 'value of farm products eaten is missing'
            end,
            case when hh_size_members is null then 'number of members is missing' end,
            case when hh_size_members <= 0 then 'number of members is not above zero' end,
            case
                when conversion_factor_lcu_to_ppp is null then 'conversion factor is missing'
                when conversion_check in ('implausible', 'inconsistent', 'undecided') then conversion_reason
                when conversion_factor_lcu_to_ppp <= 0 then 'conversion factor is not above zero'
                when
                    abs({{ power_of_ten('conversion_factor_lcu_to_ppp / factor_of_survey') }})
                    > {{ agreement_with_published() }}
                    then 'conversion factor is not that of the survey''s other households'
            end
        ) as faults
    from surveyed
),

judged as (
    select
        *,
        case when faults = '' then {{ dollar_a_day_lcu() }} end as a_dollar_a_day_lcu
    from household
),

valued as (
    select
        *,
        total_income_lcu_per_year / a_dollar_a_day_lcu as income_ppp_per_person_per_day,
        value_farm_products_consumed_lcu_per_year / a_dollar_a_day_lcu as consumption_ppp_per_person_per_day,
        (total_income_lcu_per_year + value_farm_products_consumed_lcu_per_year) / a_dollar_a_day_lcu
            as value_ppp_per_person_per_day
    from judged
)

select
    hhid,
    survey_id,
    survey_year,
    partition_start,
    country,
    hh_size_members,
    total_income_lcu_per_year,
    value_farm_products_consumed_lcu_per_year,
    conversion_factor_lcu_to_ppp,
    income_ppp_per_person_per_day,
    consumption_ppp_per_person_per_day,
    value_ppp_per_person_per_day,
    {{ vulnerability_level('value_ppp_per_person_per_day') }} as vulnerability_level,
    {{ is_vulnerable('value_ppp_per_person_per_day') }} as is_vulnerable,
    nullif(faults, '') as not_computable_reason
from valued
