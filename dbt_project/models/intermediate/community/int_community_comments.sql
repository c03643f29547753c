select
    partition_start,
    post_id,
    count(*) as comment_count,
    count(distinct email) as commenter_count
from {{ ref('stg_comments') }}
where {{ in_window('partition_start') }}
group by partition_start, post_id
