"""Makes daily drops in the shape of the UCI set "Online Retail": lines of invoices, clean or with known faults.

What is odd in the real files is odd here at about the same rates: lines without a customer, customers as numbers with a
fraction, equal lines of an invoice, cancellations, stock entries at no price with notes for names, the pound sign.
Customers have habits: how often each one buys, and for how long, is the same every day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assets.retail.sample.faults import FAULTS
from lastmile.sampling.dirt import BAD, Dirt, soil
from lastmile.sampling.formats import OTHERS, PLAIN, write
from lastmile.sampling.truth import Drop, Truth

Whole = npt.NDArray[np.int64]

DATASET = "retail_lines"
SATURDAY = 5
ARTICLES = 3_000
FIRST_CUSTOMER = 12_346
LINES_OF_AN_INVOICE = 22
#: Of what is sold: lines entered twice, and lines without a customer.
EQUAL, UNKNOWN = 0.011, 0.27
#: Per invoice: cancelled lines, and stock entries.
CANCELLED, STOCK_ENTRIES = 0.15, 0.08
#: Of the cancelled lines, those of orders from before the sample.
OLD_ORDERS = 0.2
#: Of the invoices of known customers, those of new ones.
NEW = 0.15
#: Per invoice of a day: customers there are before the first, and the mean number of newcomers after whom one is lost.
KNOWN_BEFORE, LOST_AFTER = 8, 12
#: Of how often customers buy, which is Pareto distributed: few of them make most orders.
TAIL = 0.6
#: Cancelled lines are of the latest so many sold before the day.
REMEMBERED = 2_000

_PIECES = np.array([1, 1, 1, 1, 2, 2, 3, 4, 6, 6, 8, 10, 12, 12, 24, 48])
_COUNTRIES = ("United Kingdom",) * 45 + ("Germany", "France", "EIRE", "Norway", "Channel Islands")
_COLOURS = ("WHITE", "RED", "IVORY", "VINTAGE", "FELTCRAFT", "RETROSPOT", "£5 GIFT", "SET OF 6", "JUMBO", "MINI")
_THINGS = ("HANGING HEART", "LUNCH BOX", "CAKE STAND", "DOORMAT", "T-LIGHT HOLDER", "HAND WARMER", "MUG", "TEA TOWEL")
_NOTES = (None, None, None, "?", "check", "damages", "thrown away", "amazon")


@dataclass
class ShopTruth(Truth):
    """What the sample's good lines must add up to.

    By day, in pence: what was charged and what was cancelled. `cancellations` are lines; `of_orders` those of them
    whose order is in the sample and good, so that it must be found.
    """

    charged: dict[str, int] = field(default_factory=dict)
    cancelled: dict[str, int] = field(default_factory=dict)
    cancellations: int = 0
    of_orders: int = 0

    def as_json(self) -> dict[str, Any]:
        sums = {"charged_pence": sum(self.charged.values()), "cancelled_pence": sum(self.cancelled.values())}
        return super().as_json() | sums | {"cancellations": self.cancellations, "of_orders": self.of_orders}


def generate_shop(
    to: Path,
    days: Sequence[date],
    invoices: int = 50,
    seed: int = 7,
    dirt: Dirt | None = None,
    done: Callable[[int, list[Drop]], None] = lambda days, drops: None,
) -> ShopTruth:
    """Write the drops of these days as `<to>/retail_lines/<day>/shop/lines.*`; on Saturdays the shop is closed.

    The same arguments give the same files. `invoices` is the mean of a day. `done` is called after each day with its
    drops, and may move the files away. Raises ValueError for numbers that make no sample.
    """
    if seed < 0 or invoices < 1 or not days:
        raise ValueError(
            f"a shop has days, a seed from 0, 1 invoice a day or more; found {len(days)}, {seed}, {invoices}"
        )
    truth, shop = ShopTruth(seed), _Shop(seed, invoices, customers=invoices * KNOWN_BEFORE)
    for day in days:
        drops = [] if day.weekday() == SATURDAY else [_add_day(truth, shop, day, to, dirt or Dirt())]
        truth.drops += drops
        done(1, drops)
    return truth


@dataclass
class _Shop:
    """What one day leaves to the next: the last invoice number, how many customers there are, what was sold lately."""

    seed: int
    invoices: int
    customers: int
    last_invoice: int = 536_364
    sold: pl.DataFrame = field(default_factory=pl.DataFrame)

    def invoice_numbers(self, count: int) -> Whole:
        first, self.last_invoice = self.last_invoice + 1, self.last_invoice + count
        return 100_000 + (np.arange(first, first + count) - 100_000) % 900_000


def _add_day(truth: ShopTruth, shop: _Shop, day: date, to: Path, dirt: Dirt) -> Drop:
    rng = np.random.default_rng([shop.seed, 8, day.toordinal()])
    lines = pl.concat([_sales(shop, rng), _cancellations(shop, rng), _stock_entries(shop, rng)])
    form = OTHERS[rng.integers(len(OTHERS))] if rng.random() < dirt.other_formats else PLAIN
    soiled = soil(_as_sent(lines, day), FAULTS, dirt, rng, form.has_separators)
    path = to / DATASET / day.isoformat() / "shop" / f"lines{form.suffix}"
    write(soiled.frame, soiled.ragged.tolist(), path, form)
    _add_sums(truth, lines.filter(soiled.clean), day)
    shop.sold = pl.concat([shop.sold, _can_be_cancelled(lines.filter(soiled.clean))]).tail(REMEMBERED)
    quarantined = sum(soiled.placed[kind] for kind in BAD)
    return Drop(
        key=path.relative_to(to).as_posix(),
        dataset=DATASET,
        partition=day.isoformat(),
        source="shop",
        state="loaded",
        read=lines.height,
        loaded=lines.height - quarantined,
        quarantined=quarantined,
        dirt=dict(soiled.placed) | ({"other_formats": 1} if form is not PLAIN else {}),
    )


def _sales(shop: _Shop, rng: np.random.Generator) -> pl.DataFrame:
    count = max(1, int(rng.poisson(shop.invoices)))
    buyer = np.where(rng.random(count) < UNKNOWN, 0, FIRST_CUSTOMER + _buyers(shop, rng, count))
    sizes = rng.geometric(1 / LINES_OF_AN_INVOICE, count)
    minute = np.sort(rng.integers(0, 600, count))
    article = (ARTICLES * rng.random(sizes.sum()) ** 2).astype(np.int64)
    lines = pl.DataFrame(
        {
            "invoice": np.repeat(shop.invoice_numbers(count), sizes),
            "article": article,
            "pieces": _PIECES[rng.integers(0, len(_PIECES), len(article))],
            "pence": _price(article),
            "minute": np.repeat(minute, sizes),
            "customer": np.repeat(buyer, sizes),
        }
    ).with_columns(kind=pl.lit("sale"), note=pl.lit(None, pl.String))
    times = 1 + (rng.random(lines.height) < EQUAL)
    return lines[np.repeat(np.arange(lines.height), times)]


def _buyers(shop: _Shop, rng: np.random.Generator, count: int) -> Whole:
    """Newcomers, numbered as they come, and of the customers there are those who buy often and are not lost."""
    is_new = rng.random(count) < NEW
    number = np.arange(shop.customers)
    # Multiples of an irrational number spread evenly: each customer's habits follow from the number alone.
    rank, patience = number * 0.6180339887 % 1, number * 0.7548776662 % 1
    is_lost = shop.customers - number > -np.log1p(-patience) * LOST_AFTER * shop.invoices
    often = np.cumsum(np.where(is_lost, 1e-3, (1 - rank) ** -TAIL))
    again = np.searchsorted(often, rng.random(count) * often[-1])
    found: Whole = np.where(is_new, shop.customers + np.cumsum(is_new) - 1, again)
    shop.customers += int(is_new.sum())
    return found


def _cancellations(shop: _Shop, rng: np.random.Generator) -> pl.DataFrame:
    """Some of what was sold before, in whole or in part, and some of orders that do not exist."""
    count = int(rng.poisson(shop.invoices * CANCELLED))
    if not (count and shop.sold.height):
        return _no_lines()
    drawn = shop.sold[rng.integers(0, shop.sold.height, count)]
    is_old, part = rng.random(count) < OLD_ORDERS, rng.random(count)
    pieces = np.ceil(drawn["pieces"].to_numpy() * part).astype(np.int64)
    return drawn.with_columns(
        invoice=pl.Series(shop.invoice_numbers(count)),
        article=pl.Series(np.where(is_old, ARTICLES + drawn["article"].to_numpy(), drawn["article"].to_numpy())),
        pieces=pl.Series(-pieces),
        minute=pl.Series(rng.integers(0, 600, count)),
        kind=pl.lit("cancellation"),
    )


def _stock_entries(shop: _Shop, rng: np.random.Generator) -> pl.DataFrame:
    count = int(rng.poisson(shop.invoices * STOCK_ENTRIES))
    return pl.DataFrame(
        {
            "invoice": shop.invoice_numbers(count),
            "article": rng.integers(0, ARTICLES, count),
            "pieces": rng.integers(-300, 100, count),
            "pence": np.zeros(count, dtype=np.int64),
            "minute": rng.integers(0, 600, count),
            "customer": np.zeros(count, dtype=np.int64),
            "kind": ["stock entry"] * count,
            "note": [_NOTES[place] for place in rng.integers(0, len(_NOTES), count)],
        },
        schema=_no_lines().schema,
    )


def _no_lines() -> pl.DataFrame:
    numbers = dict.fromkeys(("invoice", "article", "pieces", "pence", "minute", "customer"), pl.Int64)
    return pl.DataFrame(schema={**numbers, "kind": pl.String, "note": pl.String})


def _price(article: Whole) -> Whole:
    """In pence, from 0.19 GBP to 12.95 GBP, the same for an article for ever."""
    return 19 + article * 7919 % 1277


def _as_sent(lines: pl.DataFrame, day: date) -> pl.DataFrame:
    """The columns of the real files. Every ninth code ends in a letter, which some write small."""
    article, is_sale = pl.col("article"), pl.col("kind") != "stock entry"
    letter = pl.when(article % 9 == 0).then(pl.when(article % 2 == 0).then(pl.lit("A")).otherwise(pl.lit("b")))
    words = [
        pl.lit(pl.Series(names)).gather((article + step) % len(names)) for names, step in ((_COLOURS, 0), (_THINGS, 3))
    ]
    moment = pl.lit(f"{day} ") + pl.format("{}:{}:00", _two(8 + pl.col("minute") // 60), _two(pl.col("minute") % 60))
    buyer = pl.when(pl.col("customer") > 0).then(pl.col("customer"))
    return lines.select(
        InvoiceNo=pl.when(pl.col("kind") == "cancellation").then(pl.lit("C")).otherwise(pl.lit(""))
        + pl.col("invoice").cast(pl.String),
        StockCode=(20_000 + article).cast(pl.String) + letter.otherwise(pl.lit("")),
        Description=pl.when(is_sale).then(pl.format("{} {}", *words)).otherwise(pl.col("note")),
        Quantity=pl.col("pieces"),
        InvoiceDate=moment,
        UnitPrice=(pl.col("pence") / 100).round(2),
        CustomerID=buyer.cast(pl.Float64),
        Country=pl.lit(pl.Series(_COUNTRIES)).gather(pl.col("customer") % len(_COUNTRIES)),
    )


def _two(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.String).str.zfill(2)


def _can_be_cancelled(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.filter((pl.col("kind") == "sale") & (pl.col("customer") > 0))


def _add_sums(truth: ShopTruth, good: pl.DataFrame, day: date) -> None:
    value = good.group_by("kind").agg(pence=(pl.col("pieces") * pl.col("pence")).sum())
    pence = dict(value.iter_rows())
    truth.charged[day.isoformat()] = pence.get("sale", 0)
    truth.cancelled[day.isoformat()] = -pence.get("cancellation", 0)
    cancelled = good.filter(pl.col("kind") == "cancellation")
    truth.cancellations += cancelled.height
    truth.of_orders += cancelled.filter(pl.col("article") < ARTICLES).height
