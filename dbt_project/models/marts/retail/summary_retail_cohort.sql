-- Customers by the month of their first order, and what became of them month by month. Months in which a cohort bought
-- nothing have a row, up to the last month of any order.

with customer_month as (
    select
        customer_id,
        cast(date_trunc('month', partition_start) as date) as active_month,
        sum(orders) as orders,
        sum(net_revenue_gbp) as net_revenue_gbp
    from {{ ref('int_retail_customer_days') }}
    group by customer_id, active_month
),

customer as (
    select
        customer_id,
        min(active_month) as cohort_month
    from customer_month
    where orders > 0
    group by customer_id
),

cohort as (
    select
        cohort_month,
        count(*) as customers
    from customer
    group by cohort_month
),

active_month as (
    select distinct active_month from customer_month
),

activity as (
    select
        customer.cohort_month,
        customer_month.active_month,
        count(*) filter (where customer_month.orders > 0) as active_customers,
        sum(customer_month.net_revenue_gbp) as net_revenue_gbp
    from customer
    inner join customer_month using (customer_id)
    group by customer.cohort_month, customer_month.active_month
)

select
    cohort.cohort_month,
    cast(
        12 * (extract(year from active_month.active_month) - extract(year from cohort.cohort_month))
        + extract(month from active_month.active_month) - extract(month from cohort.cohort_month) as integer
    ) as months_since_first_order,
    cohort.customers,
    coalesce(activity.active_customers, 0) as active_customers,
    cast(coalesce(activity.active_customers, 0) as double precision) / cohort.customers as active_share,
    cast(coalesce(activity.net_revenue_gbp, 0) as numeric(14, 3)) as net_revenue_gbp
from cohort
inner join active_month on cohort.cohort_month <= active_month.active_month
left join activity on cohort.cohort_month = activity.cohort_month and active_month.active_month = activity.active_month
