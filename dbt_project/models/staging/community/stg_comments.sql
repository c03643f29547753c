select
    _partition_start as partition_start,
    id as comment_id,
    post_id,
    lower(email) as email
from {{ source('raw', 'comments') }}
