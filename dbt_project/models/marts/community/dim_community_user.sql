-- Users, posts and comments are each as of the newest day on which they were fetched.

with newest as (
    select max(partition_start) as fetched_on
    from {{ ref('int_community_users') }}
),

written as (
    select
        user_id,
        count(*) as post_count,
        sum(comment_count) as comment_count
    from {{ ref('fct_community_post') }}
    group by user_id
),

counted as (
    select
        person.*,
        coalesce(written.post_count, 0) as post_count,
        cast(coalesce(written.comment_count, 0) as bigint) as comment_count
    from {{ ref('int_community_users') }} as person
    inner join newest on person.partition_start = newest.fetched_on
    left join written on person.user_id = written.user_id
)

select
    user_id,
    partition_start as fetched_on,
    full_name,
    username,
    email,
    city,
    latitude,
    longitude,
    company_name,
    post_count,
    comment_count,
    rank() over (order by post_count desc) as rank_by_posts,
    count(*) over (partition by post_count) as users_of_rank
from counted
