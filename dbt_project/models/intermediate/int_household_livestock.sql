select
    hhid,
    partition_start,
    sum(heads) as livestock_heads,
    cast(count(distinct case when heads > 0 then animal end) as integer) as livestock_kinds
from {{ ref('stg_lstk') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
