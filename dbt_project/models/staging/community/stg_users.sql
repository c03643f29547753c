select
    _partition_start as partition_start,
    id as user_id,
    {{ tidied('name') }} as full_name,
    username,
    lower(email) as email,
    city,
    lat as latitude_as_sent,
    lng as longitude_as_sent,
    latitude,
    longitude,
    company_name
from {{ source('raw', 'users') }}
