select
    _drop_id as drop_id,
    _line as line_number,
    _partition_start as partition_start,
    invoice_no,
    upper(trim(stock_code)) as stock_code,
    {{ tidied('description') }} as description,
    cast(quantity as integer) as quantity,
    cast(unit_price as numeric(12, 3)) as unit_price_gbp,
    invoice_date at time zone 'UTC' as booked_at,
    customer_id,
    {{ normal_name('country') }} as country
from {{ source('raw', 'retail_lines') }}
