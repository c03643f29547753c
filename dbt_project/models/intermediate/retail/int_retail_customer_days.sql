select
    customer_id,
    partition_start,
    max(country) as country,
    cast(count(distinct invoice_no) filter (where kind = 'sale') as integer) as orders,
    cast(count(*) filter (where kind = 'sale') as integer) as order_lines,
    cast(count(distinct stock_code) filter (where kind = 'sale') as integer) as articles,
    cast(coalesce(sum(quantity) filter (where kind = 'sale'), 0) as integer) as pieces_sold,
    cast(coalesce(sum(value_gbp) filter (where kind = 'sale'), 0) as numeric(14, 3)) as gross_revenue_gbp,
    cast(coalesce(-sum(value_gbp) filter (where kind = 'cancellation'), 0) as numeric(14, 3)) as cancelled_gbp,
    cast(sum(value_gbp) filter (where kind in ('sale', 'cancellation')) as numeric(14, 3)) as net_revenue_gbp
from {{ ref('int_retail_lines') }}
where {{ in_window('partition_start') }} and customer_id is not null and kind in ('sale', 'cancellation')
group by customer_id, partition_start
