"""Requests to a made-up site: pages with their images, robots, and now and then a failure."""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lastmile.sampling.demo import Demo

PAGES = ("/", "/products", "/products/17", "/products/42", "/basket", "/about", "/blog/harvest", "/search?q=seed")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/124.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)
_STATUSES = ((200, 90), (304, 5), (404, 3), (500, 1), (301, 1))


def make(start: datetime, seed: int) -> Iterator[Mapping[str, Any]]:
    """About ten requests a second, each up to a minute out of order, as servers log them."""
    rng, at, number = random.Random(seed), start, 0  # noqa: S311  # no secret
    while True:
        at += timedelta(seconds=rng.expovariate(10))
        number += 1
        (status,) = rng.choices([one for one, _ in _STATUSES], [weight for _, weight in _STATUSES])
        yield {
            "line_id": f"demo-{seed}-{number:x}",
            "client_ip": f"198.51.100.{rng.randint(1, 254)}",
            "user_name": None,
            "at": at - timedelta(seconds=rng.choice((0, 0, 0, rng.uniform(0, 59)))),
            "method": "GET",
            "path": rng.choice(PAGES),
            "protocol": "HTTP/1.1",
            "status": status,
            "bytes": None if status == 304 else rng.randint(200, 60_000),
            "referrer": rng.choice((None, "https://shop.example.org/")),
            "user_agent": rng.choice(AGENTS),
        }


demo = Demo("access_log", "requests to a web site, ten a second", make)
