select *
from {{ ref('stg_household_items') }}
where {{ in_window('partition_start') }}
