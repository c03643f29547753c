select
    hhid,
    _partition_start as partition_start,
    {{ normal_name('name') }} as animal,
    {{ normal_name('prod') }} as product
from {{ source('raw', 'lstk_prod') }}
