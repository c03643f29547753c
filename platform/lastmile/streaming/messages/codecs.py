"""Which codec decodes the messages of a stream: the one it declares, or, message by message, the one their first bytes
show."""

from collections.abc import Callable
from typing import Protocol

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.messages.arrow import ArrowEnvelopes
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.framed import Framed
from lastmile.streaming.messages.json_lines import JsonLines
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
    types = contract.types()
    match stream.format:
        case "json":
            return JsonLines(types)
        case "arrow":
            return ArrowEnvelopes()
        case "avro" | "protobuf":
            return Framed(registry, types)
        case "auto":
            return Recognising(JsonLines(types), ArrowEnvelopes(), Framed(registry, types))
    raise UserError(
        f"stream {stream.name}: format {stream.format!r} has changes of rows, which are applied by a source of changes"
    )


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
        if start == _ARROW:
            return self._arrow
        return self._framed if start[:1] == _FRAME else self._lines
