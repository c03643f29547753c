select
    hhid,
    partition_start,
    sum(heads) as livestock_heads,
    {% for name in common_animals() -%}
        coalesce(sum(case when animal = '{{ name }}' then heads end), 0) as heads_{{ name }},
    {% endfor -%}
    cast(count(distinct case when heads > 0 then animal end) as integer) as livestock_kinds
from {{ ref('stg_lstk') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
