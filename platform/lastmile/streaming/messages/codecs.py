"""Which codec decodes the messages of a stream: the one it declares, or, message by message, the one their first bytes
show."""

from collections.abc import Callable, Mapping
from typing import Protocol

import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.settings import Limits
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.streaming.declarations.stream import Format, Stream
from lastmile.streaming.messages.arrow import ArrowEnvelopes
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.framed import Framed
from lastmile.streaming.messages.json_lines import JsonLines, poisoned
from lastmile.streaming.messages.merging import merged, placed
from lastmile.streaming.schemas.registry import Registry, open_registry

#: How a stream of Arrow record batches begins.
_ARROW = b"\xff\xff\xff\xff"
_FRAME = b"\0"


class Codec(Protocol):
    """Decodes the messages of one stream."""

    def decode(self, messages: Messages) -> Decoded:
        """The events, and the messages that are none."""


def _own_registry() -> Registry:
    return open_registry(Settings.from_environment())


def codec_of(stream: Stream, contract: Contract, registry: Callable[[], Registry] = _own_registry) -> Codec:
    """The registry is opened when the first message names a schema. Raises UserError for a format without a codec."""
    if stream.has_row_changes:
        raise UserError(
            f"stream {stream.name}: format {stream.format!r} has changes of rows, which are applied by a source of"
            " changes"
        )
    return Bounded(_codec(stream.format, contract.types(), registry), contract.limits)


def codec_of_unknown(form: Format, registry: Callable[[], Registry]) -> Codec:
    """For events that have no contract yet; changes of rows are none. A registry is opened as by `codec_of`."""
    return Bounded(_codec(form, {}, registry), Limits())


def _codec(form: Format, types: Mapping[str, pl.DataType], registry: Callable[[], Registry]) -> Codec:
    match form:
        case "json":
            return JsonLines(types)
        case "arrow":
            return ArrowEnvelopes()
        case "avro" | "protobuf":
            return Framed(registry, types)
    return Recognising(JsonLines(types), ArrowEnvelopes(), Framed(registry, types))


def shown(start: bytes) -> str:
    """The format that the first bytes of a message show."""
    if start[:4] == _ARROW:
        return "arrow"
    return "framed" if start[:1] == _FRAME else "json"


class Bounded:
    """Leaves out messages that are longer than an event of the contract may be, before anything is parsed."""

    def __init__(self, codec: Codec, limits: Limits) -> None:
        self._codec = codec
        self._most, self._most_of_envelopes = 4 * limits.cell_characters, limits.document_bytes

    def decode(self, messages: Messages) -> Decoded:
        """As the codec's."""
        if all(value is None or len(value) <= self._most for value in messages.values):
            return self._codec.decode(messages)
        bad = [(number, why) for number, value in enumerate(messages.values) if (why := self._too_long(value))]
        out = {number for number, _ in bad}
        kept = messages.part([number for number in range(len(messages)) if number not in out])
        left_out = placed(messages.part([]), [], []).frame, poisoned(messages, bad)
        return merged([Decoded(*left_out), *([self._codec.decode(kept)] if len(kept) else [])])

    def _too_long(self, value: bytes | None) -> str | None:
        if value is None:
            return None
        most = self._most_of_envelopes if value[:4] == _ARROW else self._most
        if len(value) <= most:
            return None
        return f"expected a message of at most {most:,} bytes, found {len(value):,}; the contract's Limits say how long"


class Recognising:
    """Decodes each message by the codec that its first bytes show."""

    def __init__(self, lines: Codec, arrow: Codec, framed: Codec) -> None:
        self._lines, self._arrow, self._framed = lines, arrow, framed

    def decode(self, messages: Messages) -> Decoded:
        """As the codecs'."""
        starts = [value[:4] if value else b"" for value in messages.values]
        kinds = {start: self._kind(start) for start in set(starts)}
        groups: dict[Codec, list[int]] = {}
        if len(set(kinds.values())) == 1:
            return next(iter(kinds.values())).decode(messages)
        for number, start in enumerate(starts):
            groups.setdefault(kinds[start], []).append(number)
        parts = [codec.decode(messages.part(numbers)) for codec, numbers in groups.items()]
        return merged(parts) if parts else placed(messages, [], [])

    def _kind(self, start: bytes) -> Codec:
        return {"arrow": self._arrow, "framed": self._framed, "json": self._lines}[shown(start)]
