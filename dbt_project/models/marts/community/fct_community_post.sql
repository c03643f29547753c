-- Posts and comments are each as of the newest day on which they were fetched.

with newest_posts as (
    select max(partition_start) as fetched_on
    from {{ ref('int_community_posts') }}
),

newest_comments as (
    select max(partition_start) as fetched_on
    from {{ ref('int_community_comments') }}
),

counted as (
    select
        post.post_id,
        post.partition_start as fetched_on,
        post.user_id,
        post.title,
        post.characters,
        coalesce(commented.comment_count, 0) as comment_count,
        coalesce(commented.commenter_count, 0) as commenter_count
    from {{ ref('int_community_posts') }} as post
    inner join newest_posts on post.partition_start = newest_posts.fetched_on
    cross join newest_comments
    left join {{ ref('int_community_comments') }} as commented
        on post.post_id = commented.post_id and newest_comments.fetched_on = commented.partition_start
)

select
    post_id,
    fetched_on,
    user_id,
    title,
    characters,
    comment_count,
    commenter_count,
    rank() over (order by comment_count desc) as rank_by_comments,
    count(*) over (partition by comment_count) as posts_of_rank
from counted
