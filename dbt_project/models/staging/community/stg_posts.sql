select
    _partition_start as partition_start,
    id as post_id,
    user_id,
    {{ tidied('title') }} as title,
    length(body) as characters
from {{ source('raw', 'posts') }}
