select
    partition_start,
    user_id,
    full_name,
    username,
    email,
    city,
    latitude,
    longitude,
    company_name
from {{ ref('stg_users') }}
where {{ in_window('partition_start') }}
