"""A community behind an API: the real users, posts and comments where they are at hand, and made ones."""

import json
from pathlib import Path
from typing import Any

from rest_server import Api

from lastmile.contracts import Contract
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.sources.loading import load_sources
from lastmile.sources.running import run

NAMES = ("users", "posts", "comments")
Records = dict[str, list[dict[str, Any]]]


def real(shared_data: Path) -> Records:
    return {name: json.loads((shared_data / "jsonplaceholder" / f"{name}.json").read_text()) for name in NAMES}


def made(posts: list[int], comments: list[int]) -> Records:
    """Users with so many posts, and posts with so many comments, in order."""
    users = [
        {
            "id": number,
            "name": f"Person {number}",
            "username": f"p{number}",
            "email": f"P{number}@Example.org",
            "address": {"city": "Nairobi", "geo": {"lat": str(-number), "lng": "36.8"}},
            "phone": "1-770-736-8031 x56442",
            "website": "example.org",
            "company": {"name": f"Company {number}"},
        }
        for number in range(1, len(posts) + 1)
    ]
    authors = [user for user, count in enumerate(posts, 1) for _ in range(count)]
    written = [
        {"id": number, "userId": user, "title": f"title {number}", "body": "two\nlines"}
        for number, user in enumerate(authors, 1)
    ]
    on = [post for post, count in enumerate(comments, 1) for _ in range(count)]
    said = [
        {"id": number, "postId": post, "name": "re", "email": f"c{number}@x.org", "body": "yes\nno"}
        for number, post in enumerate(on, 1)
    ]
    return {"users": users, "posts": written, "comments": said}


def serve(api: Api, records: Records) -> None:
    for name, found in records.items():
        api.serve(f"/{name}", found)


def fetch_and_ingest(connection: Any, store: Any, contracts: dict[str, Contract]) -> None:
    """What the three sources bring, through the intake."""
    days = set()
    for source in load_sources("assets", contracts).values():
        if source.dataset in NAMES:
            days.add(run(connection, store, source, contracts[source.dataset]).partition)
    discover(connection, store, contracts)
    for name in NAMES:
        ingest_pending(connection, store, contracts[name], [str(day) for day in days], "a run")
