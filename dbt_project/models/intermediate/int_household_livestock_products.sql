select
    hhid,
    partition_start,
    cast(count(distinct product) as integer) as livestock_product_kinds,
    max(case when product = 'milk' then 1 else 0 end) as has_milk,
    max(case when product = 'eggs' then 1 else 0 end) as has_eggs,
    max(case when product = 'meat' then 1 else 0 end) as has_meat
from {{ ref('stg_lstk_prod') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
