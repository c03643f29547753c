"""Which codec decodes the messages of a stream."""

from typing import Protocol

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.messages.arrow import ArrowEnvelopes
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.json_lines import JsonLines


class Codec(Protocol):
    """Decodes the messages of one stream."""

    def decode(self, messages: Messages) -> Decoded:
        """The events, and the messages that are none."""


def codec_of(stream: Stream, contract: Contract) -> Codec:
    """Raises UserError for a format that there is no codec for."""
    if stream.format in ("auto", "json"):
        return JsonLines(contract.types())
    if stream.format == "arrow":
        return ArrowEnvelopes()
    raise UserError(f"stream {stream.name}: format {stream.format!r} is not read")
