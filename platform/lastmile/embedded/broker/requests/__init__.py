"""What a client can request: each kind reads its request and writes its answer, in the versions that it says."""

import struct

from lastmile.embedded.broker.broker import Broker
from lastmile.embedded.broker.errors import Code
from lastmile.embedded.broker.requests import administration, consuming, membership, metadata, producing
from lastmile.embedded.broker.requests.kind import Kind, Request
from lastmile.embedded.broker.wire import Malformed, Reader, Writer

KINDS: dict[int, Kind] = {
    kind.key: kind for room in (producing, consuming, metadata, membership, administration) for kind in room.KINDS
}
API_VERSIONS = 18
_CORRELATION = struct.Struct(">i")
#: From this version on the answer has the compact encoding.
_COMPACT = 3


async def answer(broker: Broker, body: memoryview, host: str) -> Writer | None:
    """The answer to a request, None where the client wants none. Raises Malformed where it is no request."""
    reader = Reader(body)
    key, version, correlation = reader.int16(), reader.int16(), reader.int32()
    client = reader.nullable_text() or ""
    writer = Writer()
    writer.int32(correlation)
    if key == API_VERSIONS:
        _versions(writer, version)
        return writer
    kind = KINDS.get(key)
    if kind is None or not kind.first <= version <= kind.last:
        raise Malformed(f"request {key} in version {version}, which was not offered")
    request = Request(broker, reader, writer, version, client, host)
    return writer if await kind.answer(request) else None


def _versions(writer: Writer, version: int) -> None:
    """What is offered. To a version that we do not know, in the oldest form, as the protocol has it."""
    offered = [(API_VERSIONS, 0, _COMPACT), *((one.key, one.offered_from, one.last) for one in KINDS.values())]
    is_compact = version == _COMPACT
    writer.int16(Code.NONE if version <= _COMPACT else Code.UNSUPPORTED_VERSION)
    if is_compact:
        writer.unsigned(len(offered) + 1)
    else:
        writer.int32(len(offered))
    for one in offered:
        for number in one:
            writer.int16(number)
        if is_compact:
            writer.unsigned(0)
    if 0 < version <= _COMPACT:
        writer.int32(0)
    if is_compact:
        writer.unsigned(0)
