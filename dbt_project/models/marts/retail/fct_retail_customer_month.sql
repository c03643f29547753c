-- Customers as they were at the first moment of a month, from the days before it and no later one: what is booked on
-- that day or after it changes nothing here. A day counts by when it was booked, not by when its file came: a file that
-- comes late corrects the months after its day. A month has rows once a day of it was loaded, since the days before are
-- over then; each day can change all later months, so the table is made whole.

with snapshot as (
    select distinct cast(date_trunc('month', partition_start) as date) as partition_start
    from {{ ref('int_retail_customer_days') }}
),

first_order as (
    select
        customer_id,
        min(partition_start) as first_day
    from {{ ref('int_retail_customer_days') }}
    where orders > 0
    group by customer_id
),

recent as (
    select
        snapshot.partition_start,
        snapshot.partition_start - customer_day.partition_start as days_ago,
        customer_day.customer_id,
        customer_day.country,
        customer_day.orders,
        customer_day.order_lines,
        customer_day.articles,
        customer_day.pieces_sold,
        customer_day.gross_revenue_gbp,
        customer_day.cancelled_gbp,
        customer_day.partition_start as ordered_on,
        row_number() over (
            partition by snapshot.partition_start, customer_day.customer_id
            order by customer_day.partition_start desc
        ) as place
    from {{ ref('int_retail_customer_days') }} as customer_day
    inner join snapshot
        on
            customer_day.partition_start < snapshot.partition_start
            and customer_day.partition_start >= snapshot.partition_start - 180
),

customer as (
    select
        partition_start,
        customer_id,
        max(country) filter (where place = 1) as country,
        min(days_ago) filter (where orders > 0) as days_since_last_order,
        max(days_ago) filter (where orders > 0) as days_since_oldest_order,
        count(*) filter (where orders > 0) as order_days,
        count(*) filter (where orders > 0 and days_ago <= 30) as order_days_30,
        count(*) filter (where orders > 0 and days_ago <= 90) as order_days_90,
        count(*) filter (where orders > 0 and extract(dow from ordered_on) in (0, 6)) as weekend_days,
        sum(orders) as orders,
        sum(order_lines) as order_lines,
        sum(articles) as articles,
        sum(pieces_sold) as pieces_sold,
        sum(gross_revenue_gbp) as gross_revenue_gbp,
        sum(gross_revenue_gbp) filter (where days_ago <= 30) as gross_revenue_30_gbp,
        sum(cancelled_gbp) as cancelled_gbp
    from recent
    group by partition_start, customer_id
    having sum(orders) > 0
)

select
    customer.customer_id,
    customer.partition_start,
    substring(cast(customer.partition_start as text) from 1 for 7) as snapshot_month,
    customer.country,
    customer.days_since_last_order,
    customer.partition_start - first_order.first_day as days_since_first_order,
    cast(customer.days_since_oldest_order - customer.days_since_last_order as double precision)
    / nullif(customer.order_days - 1, 0) as days_between_orders,
    cast(customer.order_days_30 as integer) as order_days_30,
    cast(customer.order_days_90 as integer) as order_days_90,
    cast(customer.order_days as integer) as order_days_180,
    cast(coalesce(customer.gross_revenue_30_gbp, 0) as double precision) as gross_revenue_30_gbp,
    cast(customer.gross_revenue_gbp as double precision) as gross_revenue_180_gbp,
    cast(customer.gross_revenue_gbp as double precision) / customer.orders as order_value_gbp,
    cast(customer.order_lines as double precision) / customer.orders as lines_per_order,
    cast(customer.articles as double precision) / customer.order_days as articles_per_day,
    cast(customer.pieces_sold as double precision) / customer.order_lines as pieces_per_line,
    cast(customer.cancelled_gbp as double precision)
    / nullif(cast(customer.gross_revenue_gbp as double precision), 0) as cancelled_share,
    cast(customer.weekend_days as double precision) / customer.order_days as weekend_share
from customer
inner join first_order on customer.customer_id = first_order.customer_id
