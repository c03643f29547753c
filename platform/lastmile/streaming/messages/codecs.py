"""Which codec decodes the messages of a stream: the one it declares, or, message by message, the one their first bytes
show."""

from collections.abc import Callable, Sequence
from typing import Protocol

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.messages.arrow import ArrowEnvelopes
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.framed import Framed
from lastmile.streaming.messages.json_lines import JsonLines
from lastmile.streaming.messages.merging import merged
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
        groups: dict[int, list[int]] = {}
        kinds = list(map(self._kind, starts)) if len(set(starts)) > 1 else [self._kind(starts[0])] * bool(starts)
        if len(set(kinds)) <= 1:
            return self._codecs()[kinds[0] if kinds else 0].decode(messages)
        for number, kind in enumerate(kinds):
            groups.setdefault(kind, []).append(number)
        return merged([self._codecs()[kind].decode(messages.part(numbers)) for kind, numbers in groups.items()])

    def _codecs(self) -> Sequence[Codec]:
        return self._lines, self._arrow, self._framed

    def _kind(self, start: bytes) -> int:
        if start == _ARROW:
            return 1
        return 2 if start[:1] == _FRAME else 0
