select
    hhid,
    _partition_start as partition_start,
    {{ normal_name('name') }} as animal,
    cast(n as double precision) as heads
from {{ source('raw', 'lstk') }}
