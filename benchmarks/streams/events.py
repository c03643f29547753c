"""Page views of 200 bytes, their contract, and the stream that counts them by minute and country."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Contract, Partition, Policy, field
from lastmile.streaming import Stream, Tumbling

COUNTRIES = ("KE", "UG", "TZ", "ET")
START = datetime(2026, 3, 1, tzinfo=UTC)
#: Events of an envelope.
TOGETHER = 1_000
#: Milliseconds between two events, by their own time.
_STEP = 1


class Views(pa.DataFrameModel):
    event_id: str = field("Number of the event.", str_length=13)
    at: datetime = field("When.")
    page: str = field("What was seen.", str_startswith="/")
    user_id: int = field("By whom.", ge=0, personal=True)
    country: str = field("Where.", isin=list(COUNTRIES))
    amount_cents: int = field("What it was worth.", ge=0, le=1_000_000)
    is_mobile: bool = field("On a telephone.")
    agent: str | None = field("The browser.")


VIEWS = Contract(
    name="views",
    schema=Views,
    description="Page views.",
    owner="team:shop",
    partition=Partition("day", start=date(2026, 1, 1)),
    policy=Policy(duplicates="keep"),
)


def stream(name: str, topic: str, lands: bool = False) -> Stream:
    """The stream under a name of its own, so that it reads the topic from its beginning."""
    window = Tumbling(
        name=f"{name}_by_minute",
        every=timedelta(minutes=1),
        keys=("country",),
        values={"views": pl.len(), "cents": pl.col("amount_cents").sum(), "users": pl.col("user_id").count()},
    )
    return Stream(
        name=name,
        description="Page views.",
        owner="team:shop",
        topic=topic,
        contract=VIEWS.name,
        event_time="at",
        lateness=timedelta(minutes=1),
        windows=(window,),
        lands=lands,
    )


def single(number: int, at: str | None = None) -> bytes:
    """One event as JSON."""
    at = at or (START + timedelta(milliseconds=number * _STEP)).isoformat(timespec="milliseconds")[:23] + "Z"
    return (
        f'{{"event_id":"e{number:012}","at":"{at}","page":"/products/{number % 997}","user_id":{number % 5_000},'
        f'"country":"{COUNTRIES[number % 4]}","amount_cents":{number % 10_000},"is_mobile":{_BOOLEANS[number % 2]},'
        f'"agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko"}}'
    ).encode()


_BOOLEANS = ("false", "true")


def envelope(first: int, events: int = TOGETHER) -> bytes:
    """Events as one Arrow IPC stream."""
    import pyarrow as pa_

    numbers = pl.Series(range(first, first + events))
    agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko"
    table = pl.select(
        event_id=pl.format("e{}", numbers.cast(pl.String).str.zfill(12)),
        at=(pl.lit(START) + pl.duration(milliseconds=numbers * _STEP)).cast(pl.Datetime("us", "UTC")),
        page=pl.format("/products/{}", numbers % 997),
        user_id=numbers % 5_000,
        country=pl.Series(COUNTRIES).gather(numbers % 4),
        amount_cents=numbers % 10_000,
        is_mobile=numbers % 2 == 1,
        agent=pl.lit(agent),
    ).to_arrow(compat_level=pl.CompatLevel.oldest())
    sink = pa_.BufferOutputStream()
    with pa_.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def messages(events: int, form: str) -> Iterator[bytes]:
    """So many events as single messages or in envelopes."""
    if form == "envelopes":
        yield from (envelope(first) for first in range(0, events, TOGETHER))
    else:
        yield from map(single, range(events))
