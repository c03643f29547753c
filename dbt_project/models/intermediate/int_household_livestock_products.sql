select
    hhid,
    partition_start,
    cast(count(distinct product) as integer) as livestock_product_kinds
from {{ ref('stg_lstk_prod') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
