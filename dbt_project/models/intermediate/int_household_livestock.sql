select
    hhid,
    partition_start,
    sum(heads) as livestock_heads,
    count(distinct animal) filter (where heads > 0)::integer as livestock_kinds
from {{ ref('stg_lstk') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
