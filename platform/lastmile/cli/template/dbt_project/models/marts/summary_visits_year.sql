select
    cast(extract(year from _partition_start) as integer) as year,
    count(*) as visits,
    sum(persons) as persons
from {{ source('raw', 'visits') }}
group by _partition_start
