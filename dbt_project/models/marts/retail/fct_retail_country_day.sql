{{
    config(
        materialized='incremental',
        incremental_strategy='window',
        on_schema_change='append_new_columns',
        pre_hook="{{ lock_table(this) }}",
    )
}}

-- Revenue is what customers were charged, postage and fees included; a cancellation counts on the day it was booked,
-- not on that of its order, so that a day once told does not change.

select
    partition_start,
    country,
    cast(count(distinct invoice_no) filter (where kind = 'sale') as integer) as orders,
    cast(count(distinct customer_id) filter (where kind = 'sale') as integer) as customers,
    cast(coalesce(sum(quantity) filter (where kind = 'sale'), 0) as integer) as pieces_sold,
    cast(coalesce(sum(value_gbp) filter (where kind = 'sale'), 0) as numeric(14, 3)) as gross_revenue_gbp,
    cast(coalesce(-sum(value_gbp) filter (where kind = 'cancellation'), 0) as numeric(14, 3)) as cancelled_gbp,
    cast(coalesce(sum(value_gbp), 0) as numeric(14, 3)) as net_revenue_gbp
from {{ ref('int_retail_lines') }}
where {{ in_window('partition_start') }} and kind in ('sale', 'cancellation')
group by partition_start, country
