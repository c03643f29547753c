"""One page: who is most active, and which posts are most commented; the same as CSV and JSON.

Users with equally many posts are equally active, and posts with equally many comments equally popular: they share a
rank, and the page says how many do. No order is made up between them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from lastmile.learning import Report
from lastmile.learning.report_data import ReportData

USERS = """
    SELECT rank_by_posts AS rank, users_of_rank AS sharing_rank, user_id, full_name AS name, username, city,
        company_name AS company, post_count AS posts, comment_count AS comments, CAST(fetched_on AS text) AS fetched_on
    FROM marts.dim_community_user ORDER BY rank_by_posts, user_id
"""
POSTS = """
    SELECT rank_by_comments AS rank, posts_of_rank AS sharing_rank, post_id, title, post.user_id,
        full_name AS author, post.comment_count AS comments, commenter_count AS commenters,
        CAST(post.fetched_on AS text) AS fetched_on
    FROM marts.fct_community_post AS post LEFT JOIN marts.dim_community_user AS person USING (user_id)
    ORDER BY rank_by_comments, post_id
"""
#: Posts of these ranks are the top ones.
TOP = 10
#: Rows of a table on the page; the files have all.
SHOWN = 100


def contents(data: ReportData) -> Mapping[str, Any]:
    """Everything that the template and the files need."""
    users = data.frame(USERS, needs="marts.dim_community_user")
    posts = data.frame(POSTS, needs="marts.fct_community_post")
    top = posts[posts["rank"] <= TOP] if len(posts) else posts
    return {
        "users": _rows(users),
        "posts": _rows(posts),
        "top_posts": _rows(top),
        "most_active": _first(users, "posts"),
        "most_commented": _first(posts, "comments"),
        "comments": int(posts["comments"].sum()) if len(posts) else 0,
        "shown": SHOWN,
    }


def _rows(found: pd.DataFrame) -> list[dict[str, Any]]:
    """With None where nothing is known, which is no number and no text."""
    return found.astype(object).where(found.notna(), None).to_dict("records")  # type: ignore[return-value]


def _first(ranked: pd.DataFrame, count: str) -> tuple[int, int]:
    """How many share the first rank, and with how many each."""
    first = ranked[ranked["rank"] == 1] if len(ranked) else ranked
    return (len(first), int(first[count].iloc[0])) if len(first) else (0, 0)


def files(found: Mapping[str, Any]) -> Mapping[str, bytes]:
    """Users, posts and top posts, each as CSV and JSON with the moment at which they were made."""
    made: dict[str, bytes] = {}
    for name in ("users", "posts", "top_posts"):
        made[f"{name}.csv"] = _csv(found[name], found["made_at"])
        made[f"{name}.json"] = _json(name, found[name], found["made_at"])
    return made


def _csv(rows: Sequence[Mapping[str, Any]], at: datetime) -> bytes:
    return pd.DataFrame(rows).assign(made_at=_written(at)).to_csv(index=False).encode()


def _json(name: str, rows: Sequence[Mapping[str, Any]], at: datetime) -> bytes:
    return json.dumps({"made_at": _written(at), name: rows}, default=str, ensure_ascii=False, indent=1).encode()


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def summary(found: Mapping[str, Any]) -> Mapping[str, int | str]:
    """What the asset's page shows."""
    sharing, posts = found["most_active"]
    posts_sharing, comments = found["most_commented"]
    return {
        "users": len(found["users"]),
        "posts": len(found["posts"]),
        "comments": found["comments"],
        "most active": f"{sharing} with {posts} posts each",
        "most commented": f"{posts_sharing} with {comments} comments each",
    }


report = Report(
    name="community",
    description="One page, and CSV and JSON: the most active users, posts, and the most commented posts, ties as ties.",
    owner="team:community",
    template="community.html.j2",
    sources=("marts/dim_community_user", "marts/fct_community_post"),
    follows="marts/dim_community_user",
    contents=contents,
    summary=summary,
    files=files,
)
