select
    hhid,
    partition_start,
    count(distinct crop)::integer as crop_count
from {{ ref('stg_crop') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
