select *
from {{ ref('stg_hhinfo') }}
where {{ in_window('partition_start') }}
