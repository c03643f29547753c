-- A cancellation names no order. It is taken to cancel the latest earlier sale of the same article to the same customer
-- that was large enough, one at the same price before others. The order may be of any earlier day, and a day that
-- arrives late may hold it, so the table is made whole.

with cancellation as (
    select *
    from {{ ref('int_retail_lines') }}
    where kind = 'cancellation'
),

sale as (
    select *
    from {{ ref('int_retail_lines') }}
    where kind = 'sale' and customer_id is not null
),

candidate as (
    select
        cancellation.drop_id,
        cancellation.line_number,
        sale.drop_id as order_drop_id,
        sale.line_number as order_line_number,
        sale.invoice_no as order_invoice_no,
        sale.booked_at as ordered_at,
        sale.unit_price_gbp as order_unit_price_gbp,
        row_number() over (
            partition by cancellation.drop_id, cancellation.line_number
            order by
                sale.unit_price_gbp <> cancellation.unit_price_gbp asc,
                sale.booked_at desc,
                sale.drop_id asc,
                sale.line_number asc
        ) as place
    from cancellation
    inner join sale
        on
            cancellation.customer_id = sale.customer_id
            and cancellation.stock_code = sale.stock_code
            and cancellation.booked_at >= sale.booked_at
            and -cancellation.quantity <= sale.quantity
),

matched as (
    select *
    from candidate
    where place = 1
)

select
    cancellation.drop_id,
    cancellation.line_number,
    cancellation.partition_start,
    cancellation.invoice_no,
    cancellation.stock_code,
    cancellation.customer_id,
    cancellation.country,
    -cancellation.quantity as pieces,
    cast(-cancellation.value_gbp as numeric(14, 3)) as cancelled_gbp,
    cancellation.booked_at,
    matched.order_drop_id,
    matched.order_line_number,
    matched.order_invoice_no,
    matched.ordered_at,
    matched.order_unit_price_gbp = cancellation.unit_price_gbp as is_same_price,
    cast(cancellation.booked_at as date) - cast(matched.ordered_at as date) as days_after_order,
    case
        when matched.order_invoice_no is not null then null
        when cancellation.customer_id is null then 'the customer is not known'
        else 'no earlier sale of the article to the customer is large enough'
    end as not_matched_reason
from cancellation
left join matched using (drop_id, line_number)
