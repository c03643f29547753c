"""Events that were decoded in parts put together again, in the order of their messages."""

from collections.abc import Sequence

import polars as pl

from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.json_lines import alike, places, poisoned

#: Which of the messages an event is of, while they are decoded.
NUMBER = "_number"
_ORDER = ("_partition", "_offset", "_index")


def placed(messages: Messages, found: Sequence[pl.DataFrame], bad: Sequence[tuple[int, str]]) -> Decoded:
    """Events with NUMBER, one of a message each, with their places instead; and the messages that are none."""
    if not found:
        return Decoded(places(messages.part([])), poisoned(messages, sorted(bad)))
    events = found[0] if len(found) == 1 else _together(found)
    whole = places(messages)
    own = whole if events.height == whole.height else whole[events[NUMBER]]
    return Decoded(pl.concat([events.drop(NUMBER), own], how="horizontal"), poisoned(messages, sorted(bad)))


def _together(found: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """In the order of their numbers; columns of different types as text."""
    numbers = pl.concat([frame[NUMBER] for frame in found])
    own = pl.concat(alike([frame.drop(NUMBER) for frame in found]), how="diagonal")
    return own.with_columns(numbers).sort(NUMBER)


def merged(parts: Sequence[Decoded]) -> Decoded:
    """Parts of a batch as one."""
    filled = [one.frame for one in parts if one.frame.height]
    if len(filled) <= 1:
        frame = filled[0] if filled else parts[0].frame
    else:
        frame = pl.concat(alike(filled), how="diagonal").sort(_ORDER)
    return Decoded(frame, pl.concat([one.poison for one in parts]).sort("_partition", "_offset"))
