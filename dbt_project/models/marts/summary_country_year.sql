select
    country,
    survey_year,
    count(*) as households,
    count(vulnerability_level) as computable,
    {% for level in ['On Track', 'At Risk', 'Struggling', 'Severely Struggling'] -%}
        {% set column = level | lower | replace(' ', '_') %}
        count(case when vulnerability_level = '{{ level }}' then 1 end) as {{ column }},
        cast(count(case when vulnerability_level = '{{ level }}' then 1 end) as double precision)
        / nullif(count(vulnerability_level), 0) as {{ column }}_share,
    {% endfor %}
    cast(count(case when is_vulnerable then 1 end) as double precision) / nullif(count(vulnerability_level), 0)
        as vulnerable_share,
    percentile_cont(0.5) within group (order by value_ppp_per_person_per_day) as median_value_ppp_per_person_per_day
from {{ ref('fct_household_year') }}
group by country, survey_year
