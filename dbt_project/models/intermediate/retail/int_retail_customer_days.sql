select
    customer_id,
    partition_start,
    cast(count(distinct invoice_no) filter (where kind = 'sale') as integer) as orders,
    cast(sum(value_gbp) filter (where kind in ('sale', 'cancellation')) as numeric(14, 3)) as net_revenue_gbp
from {{ ref('int_retail_lines') }}
where {{ in_window('partition_start') }} and customer_id is not null and kind in ('sale', 'cancellation')
group by customer_id, partition_start
