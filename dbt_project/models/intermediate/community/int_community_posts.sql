select
    partition_start,
    post_id,
    user_id,
    title,
    characters
from {{ ref('stg_posts') }}
where {{ in_window('partition_start') }}
