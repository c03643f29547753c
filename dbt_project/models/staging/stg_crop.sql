select
    hhid,
    _partition_start as partition_start,
    {{ normal_name('name') }} as crop
from {{ source('raw', 'crop') }}
