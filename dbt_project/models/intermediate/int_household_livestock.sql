select
    hhid,
    partition_start,
    sum(heads) as livestock_heads,
    cast(count(distinct case when heads > 0 then animal end) as integer) as livestock_kinds,
    {% for name in common_animals() -%}
        coalesce(sum(case when animal = '{{ name }}' then heads end), 0) as heads_{{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ ref('stg_lstk') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
