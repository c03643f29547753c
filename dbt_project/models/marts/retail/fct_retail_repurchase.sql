-- What customers did in the 30 days from the first of a month on; null until a later day was loaded: before that those
-- who have not ordered may still do so, and those who have would be the only ones known.

with loaded as (
    select max(partition_start) as last_day
    from {{ ref('int_retail_customer_days') }}
),

outcome as (
    select
        customer.customer_id,
        customer.partition_start,
        customer.snapshot_month,
        customer.partition_start + 30 <= loaded.last_day as is_over,
        coalesce(sum(later.orders), 0) as orders_after,
        coalesce(sum(later.gross_revenue_gbp), 0) as gross_revenue_after_gbp
    from {{ ref('fct_retail_customer_month') }} as customer
    cross join loaded
    left join {{ ref('int_retail_customer_days') }} as later
        on
            customer.customer_id = later.customer_id
            and customer.partition_start <= later.partition_start
            and customer.partition_start + 30 > later.partition_start
    group by customer.customer_id, customer.partition_start, customer.snapshot_month, loaded.last_day
)

select
    customer_id,
    partition_start,
    snapshot_month,
    cast(case when is_over then orders_after end as integer) as orders_after,
    cast(case when is_over then gross_revenue_after_gbp end as numeric(14, 3)) as gross_revenue_after_gbp,
    case
        when not is_over then null
        when orders_after > 0 then 'yes'
        else 'no'
    end as buys_again
from outcome
