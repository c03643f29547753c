-- The judgement is a majority's: a survey is right when more than half of the country's surveys, itself among them,
-- agree with it. So one wrong survey does not taint the right ones, and where no majority exists nobody is believed.

with survey as (
    select
        *,
        conversion_factor_lcu_to_ppp as factor
    from {{ ref('int_survey') }}
),

comparable as (
    select
        *,
        {{ power_of_ten('factor') }} as power_of_ten
    from survey
    where factor > 0 and factor <= {{ highest_conversion_factor() }} and country is not null
),

counted as (
    select
        *,
        count(*) over (partition by country) as surveys,
        count(*) over (
            partition by country order by power_of_ten
            range between {{ agreement_in_powers_of_ten() }} preceding and {{ agreement_in_powers_of_ten() }} following
        ) as agreeing
    from comparable
),

judged as (
    select
        *,
        2 * agreeing > surveys as in_majority,
        {{ any_row('2 * agreeing > surveys') }} over (partition by country) as country_has_majority
    from counted
),

compared as (
    select
        survey.survey_id,
        other.survey_id as other_id,
        case when other.in_majority = other.country_has_majority then other.factor end as believed_factor,
        case
            when
                not other.country_has_majority
                and abs({{ power_of_ten('other.factor / survey.factor') }}) > {{ agreement_in_powers_of_ten() }}
                then other.survey_id || ' (' || {{ readable_number('other.factor') }} || ')'
        end as disagreeing
    from survey
    inner join judged as other on survey.country = other.country and survey.survey_id <> other.survey_id
    where survey.factor > 0
),

others as (
    select
        survey_id,
        percentile_cont(0.5) within group (order by believed_factor) as median_factor,
        {{ listed('disagreeing', order='other_id') }} as disagreeing
    from compared
    group by survey_id
)

select
    survey.survey_id,
    others.median_factor as country_median_factor,
    case
        when judged.surveys is null or judged.surveys = 1 then 'unverified'
        when judged.in_majority then 'consistent'
        when judged.country_has_majority then 'inconsistent'
        else 'undecided'
    end as country_check,
    others.disagreeing as disagreeing_surveys
from survey
left join judged on survey.survey_id = judged.survey_id
left join others on survey.survey_id = others.survey_id
