-- A survey whose conversion factor is wrong by a thousand would make all its households rich or destitute. The factor
-- is judged by what is published for the country and year and, where nothing is, by the country's other surveys. Then
-- the result is judged: what nobody can live on shows that money and factor are not of the same unit.

with survey as (
    select
        survey.*,
        comparison.country_median_factor,
        comparison.disagreeing_surveys,
        survey.conversion_factor_lcu_to_ppp as factor,
        survey.published_factor_lcu_to_ppp as published_factor,
        survey.median_value_ppp_per_person_per_day as median_value,
        case
            when survey.conversion_factor_lcu_to_ppp <= 0 then 'implausible'
            when
                abs({{ power_of_ten('survey.conversion_factor_lcu_to_ppp / survey.published_factor_lcu_to_ppp') }})
                > {{ agreement_with_published() }}
                then 'inconsistent'
            when survey.published_factor_lcu_to_ppp is not null then 'consistent'
            when survey.conversion_factor_lcu_to_ppp > {{ highest_conversion_factor() }} then 'implausible'
            else comparison.country_check
        end as factor_check
    from {{ ref('int_survey') }} as survey
    left join {{ ref('int_survey_comparison') }} as comparison on survey.survey_id = comparison.survey_id
),

judged as (
    select
        *,
        coalesce(published_factor, country_median_factor) as believed_factor,
        factor_check in ('consistent', 'unverified')
        and (median_value > {{ highest_median_value() }} or median_value < {{ lowest_median_value() }})
        and (factor_check = 'unverified' or households_with_value >= {{ fewest_households_to_judge() }})
            as is_impossible
    from survey
)

select
    survey_id,
    country,
    survey_year,
    households,
    factor as conversion_factor_lcu_to_ppp,
    published_factor as published_factor_lcu_to_ppp,
    published_currency,
    country_median_factor,
    factor / country_median_factor as factor_ratio,
    median_value as median_value_ppp_per_person_per_day,
    case when is_impossible then 'implausible' else factor_check end as conversion_check,
    case
        when is_impossible
            then
                'the median value of its households, ' || {{ readable_number('median_value') }}
                || ' PPP$ per person and day, is not possible: money and conversion factor '
                || {{ readable_number('factor') }} || ' are not of the same unit'
        when factor_check = 'implausible'
            then
                'conversion factor ' || cast(factor as text)
                || case when factor <= 0 then ' is not above zero' else ' is above any real one' end
        when factor_check = 'unverified'
            then
                case
                    when factor is null then 'no household of the survey states a conversion factor'
                    when country is null then 'the survey names no country to compare with'
                    else 'no published factor and no other survey of ' || country || ' to compare with'
                end
        when factor_check = 'inconsistent'
            then
                'conversion factor ' || {{ readable_number('factor') }} || ' is '
                || {{ readable_number('greatest(factor / believed_factor, believed_factor / factor)') }} || ' times '
                || case when factor < believed_factor then 'smaller' else 'larger' end || ' than '
                || {{ readable_number('believed_factor') }}
                || coalesce(
                    ' ' || published_currency || ', published for ' || country,
                    ', the median of the other surveys of ' || country
                )
        when factor_check = 'undecided' then
            'conversion factor ' || {{ readable_number('factor') }} || ' disagrees with ' || disagreeing_surveys
            || ' and no majority of the surveys of ' || country || ' tells which is right'
    end as conversion_reason
from judged
