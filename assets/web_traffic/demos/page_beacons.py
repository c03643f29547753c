"""Visitors of a made-up site: they view, scroll and click, and leave; some come back."""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from assets.web_traffic.demos.access_log import AGENTS, PAGES
from lastmile.sampling.demo import Demo

_Step = tuple[datetime, int, str, str, str]


def make(start: datetime, seed: int) -> Iterator[Mapping[str, Any]]:
    """A new visit every two seconds or so, of three pages on average."""
    rng, arrives, number = random.Random(seed), start, 0  # noqa: S311  # no secret
    waiting: list[_Step] = []
    while True:
        while not waiting or waiting[0][0] >= arrives:
            for step in _visit(rng, arrives):
                number += 1
                heappush(waiting, (step[0], number, *step[1:]))
            arrives += timedelta(seconds=rng.expovariate(0.5))
        at, count, visitor, kind, page = heappop(waiting)
        yield {
            "event_id": f"demo-{seed}-{count:08x}",
            "visitor_id": visitor,
            "kind": kind,
            "page": page,
            "target": "basket" if kind == "click" else None,
            "referrer": None,
            "seconds": round(rng.expovariate(1 / 40), 1) if kind == "leave" else None,
            "at": at + timedelta(seconds=rng.gauss(0, 5)),
            "received_at": at,
            "client_ip": f"203.0.113.{int(visitor[-4:], 16) % 254 + 1}",
            "user_agent": AGENTS[int(visitor[-4:], 16) % 2],
        }


def _visit(rng: random.Random, at: datetime) -> Iterator[tuple[datetime, str, str, str]]:
    """One visitor in four was there before."""
    visitor = f"visitor-{rng.randint(0, 200) if rng.random() < 0.25 else rng.randint(1_000, 60_000):04x}"
    for _ in range(1 + int(rng.expovariate(0.5))):
        page = rng.choice(PAGES)
        yield at, visitor, "view", page
        for kind, likely in (("scroll", 0.6), ("click", 0.3), ("leave", 0.8)):
            at += timedelta(seconds=rng.expovariate(1 / 12))
            if rng.random() < likely:
                yield at, visitor, kind, page
        at += timedelta(seconds=1)


demo = Demo("page_beacons", "visitors of a web site", make)
