select
    hhid,
    partition_start,
    cast(count(distinct crop) as integer) as crop_count
from {{ ref('stg_crop') }}
where {{ in_window('partition_start') }}
group by hhid, partition_start
