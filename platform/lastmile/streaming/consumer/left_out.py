"""Messages and events that are left out, as rows of the quarantine: which rule each broke, in words, and its bytes."""

import polars as pl

from lastmile.quarantine.messages import GIVEN
from lastmile.streaming.declarations.stream import PLACE, Stream
from lastmile.streaming.validation import as_json, first_rules

NONE = pl.DataFrame(schema=GIVEN)


def late(stream: Stream, events: pl.DataFrame, floors: pl.DataFrame) -> pl.DataFrame:
    """Events older than the `floor` that stands for each."""
    if not events.height:
        return NONE
    time = stream.event_time
    expected = f"{time}: expected a time of at most {stream.lateness} before the newest of its partition, or from the"
    timed = events.with_columns(floors["floor"]).select(
        lateness=pl.col("floor") - pl.col(time),
        message=pl.format("{} watermark {} on; found {}", pl.lit(expected), "floor", time),
    )
    return _of_rule("late", time, events, timed["message"], timed["lateness"])


def old(stream: Stream, events: pl.DataFrame, floors: pl.DataFrame) -> pl.DataFrame:
    """Events that are late by more than `late_until`: whether they came before is no longer known."""
    if not events.height:
        return NONE
    time = stream.event_time
    expected = f"{time}: expected a time of at most {stream.late_until} (late_until) before"
    timed = events.with_columns(floors["floor"]).select(
        lateness=pl.col("floor") - pl.col(time),
        message=pl.format("{} {}; found {}", pl.lit(expected), "floor", time),
    )
    return _of_rule("old", time, events, timed["message"], timed["lateness"])


def ahead(stream: Stream, events: pl.DataFrame) -> pl.DataFrame:
    """Events of a time to come."""
    if not events.height:
        return NONE
    time = stream.event_time
    message = pl.format("{}: expected a time up to now; found {}, set the clock of its sender", pl.lit(time), time)
    return _of_rule("ahead", time, events, events.select(message.alias("message")).to_series(), None)


def poison(messages: pl.DataFrame) -> pl.DataFrame:
    if not messages.height:
        return NONE
    return _shaped(
        messages.rename({"_partition": "partition", "_offset": "offset"}).with_columns(
            index=pl.lit(0, pl.Int32),
            rule=pl.lit("message"),
            reasons=_reasons(_without_nul(pl.col("reason")), "message", None),
        )
    )


def bad(events: pl.DataFrame) -> pl.DataFrame:
    if not events.height:
        return NONE
    named = {"_partition": "partition", "_offset": "offset", "_index": "index"}
    return _shaped(
        events.rename(named).with_columns(
            pl.col("raw").cast(pl.Binary), pl.Series("rule", first_rules(events), pl.String)
        )
    )


def _of_rule(
    rule: str, column: str, events: pl.DataFrame, messages: pl.Series, lateness: pl.Series | None
) -> pl.DataFrame:
    named = {"_partition": "partition", "_offset": "offset", "_index": "index"}
    rows = events.select(PLACE.keys()).rename(named).with_columns(messages.alias("message"))
    if lateness is not None:
        rows = rows.with_columns(lateness.alias("lateness"))
    return _shaped(
        rows.with_columns(
            rule=pl.lit(rule), reasons=_reasons(pl.col("message"), rule, column), raw=as_json(events).cast(pl.Binary)
        )
    )


def _without_nul(text: pl.Expr) -> pl.Expr:
    """The text with its NUL characters, which JSON in Postgres cannot hold, as a visible sign."""
    return text.str.replace_all("\0", "␀", literal=True)


def _reasons(message: pl.Expr, rule: str, column: str | None) -> pl.Expr:
    one = pl.struct(
        column=pl.lit(column, pl.String), rule=pl.lit(rule), found=pl.lit(None, pl.String), message=message
    ).struct.json_encode()
    return pl.format("[{}]", one)


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with all columns of quarantined messages."""
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in GIVEN.items() if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in GIVEN.items())
