"""Envelopes of many events each, as streams of Arrow record batches: no event is touched by itself."""

from collections.abc import Iterator

import polars as pl

from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.json_lines import places, poisoned


class ArrowEnvelopes:
    """Decodes messages that are Arrow IPC streams."""

    def decode(self, messages: Messages) -> Decoded:
        """The events of all envelopes, and the messages that are none."""
        poison: list[tuple[int, str]] = []
        tables = list(_tables(messages, poison))
        if not tables:
            none = Messages((), (), (), ())
            return Decoded(places(none), poisoned(messages, poison))
        of_messages = places(messages)
        counts = pl.DataFrame(
            {"number": [number for number, _ in tables], "count": [frame.height for _, frame in tables]},
            schema={"number": pl.UInt32, "count": pl.UInt32},
        )
        own = of_messages[counts["number"]].with_columns(
            pl.int_ranges(0, counts["count"], dtype=pl.Int32).alias("_index")
        )
        events = pl.concat([frame for _, frame in tables], how="vertical" if _are_alike(tables) else "diagonal_relaxed")
        return Decoded(
            pl.concat([events, own.explode("_index", empty_as_null=False)], how="horizontal"),
            poisoned(messages, poison),
        )


def _tables(messages: Messages, poison: list[tuple[int, str]]) -> Iterator[tuple[int, pl.DataFrame]]:
    import pyarrow as pa

    for number, value in enumerate(messages.values):
        if value is None:
            poison.append((number, "expected an Arrow IPC stream; the message has no value"))
            continue
        try:
            with pa.ipc.open_stream(value) as stream:
                table = stream.read_all()
            table.validate(full=True)
            frame = pl.DataFrame(table)
        except (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
            poison.append((number, f"expected an Arrow IPC stream: {error}"))
            continue
        yield number, frame


def _are_alike(tables: list[tuple[int, pl.DataFrame]]) -> bool:
    return all(frame.schema == tables[0][1].schema for _, frame in tables)
