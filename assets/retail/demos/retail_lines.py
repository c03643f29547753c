"""Customers of a made-up shop, who buy; one invoice in fifty takes back what was bought."""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lastmile.sampling.demo import Demo

_ARTICLES = (
    ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", 2.55),
    ("22423", "REGENCY CAKESTAND 3 TIER", 12.75),
    ("47566", "PARTY BUNTING", 4.95),
    ("84879", "ASSORTED COLOUR BIRD ORNAMENT", 1.69),
    ("21212", "PACK OF 72 RETROSPOT CAKE CASES", 0.55),
)
_COUNTRIES = (("United Kingdom", 90), ("Germany", 4), ("France", 4), ("EIRE", 2))


def make(start: datetime, seed: int) -> Iterator[Mapping[str, Any]]:
    """An invoice every minute or so, of some lines each."""
    rng, at, invoice = random.Random(seed), start, 600_000  # noqa: S311  # no secret
    while True:
        at += timedelta(seconds=rng.expovariate(1 / 60))
        invoice += 1
        is_return = rng.random() < 0.02
        (country,) = rng.choices([one for one, _ in _COUNTRIES], [weight for _, weight in _COUNTRIES])
        customer = rng.choice((None, rng.randint(12_000, 18_000), rng.randint(12_000, 18_000)))
        for code, description, price in rng.sample(_ARTICLES, rng.randint(1, len(_ARTICLES))):
            pieces = rng.choice((1, 2, 3, 6, 12, 24))
            yield {
                "invoice_no": f"C{invoice}" if is_return else str(invoice),
                "stock_code": code,
                "description": description,
                "quantity": -pieces if is_return else pieces,
                "invoice_date": at,
                "unit_price": price,
                "customer_id": customer,
                "country": country,
            }


demo = Demo("retail_lines", "lines of a shop's invoices", make)
