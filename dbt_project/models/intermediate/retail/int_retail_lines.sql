-- What kind of line each is decides what it counts for; nothing is left out. Notes of the stock-keepers are told from
-- the names of articles by the price, which is zero where they stand.

with line as (
    select
        *,
        case
            when invoice_no like 'C%' then 'cancellation'
            when invoice_no like 'A%' then 'adjustment'
            when unit_price_gbp = 0 then 'stock entry'
            else 'sale'
        end as kind
    from {{ ref('stg_retail_lines') }}
    where {{ in_window('partition_start') }}
)

select
    drop_id,
    line_number,
    partition_start,
    invoice_no,
    kind,
    stock_code,
    case when kind <> 'stock entry' then description end as article,
    case when kind = 'stock entry' then description end as note,
    quantity,
    unit_price_gbp,
    cast(quantity * unit_price_gbp as numeric(14, 3)) as value_gbp,
    booked_at,
    customer_id,
    country,
    row_number() over (
        partition by
            partition_start, invoice_no, stock_code, description, quantity, unit_price_gbp, booked_at, customer_id
        order by drop_id, line_number
    ) > 1 as is_repeat
from line
