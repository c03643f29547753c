"""Which topics there are, and which broker has them: always this one."""

from lastmile.embedded.broker.broker import NODE
from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.requests.kind import Kind, Request
from lastmile.embedded.broker.topics import Topic


async def metadata(request: Request) -> bool:
    reader, writer, broker, version = request.reader, request.writer, request.broker, request.version
    names = reader.nullable_array(reader.text)
    may_create = reader.boolean() if version >= 4 else True
    topics: list[tuple[str, Topic | None, Code]]
    if names is None or (version == 0 and not names):
        topics = [(topic.name, topic, Code.NONE) for topic in broker.topics.all()]
    else:
        topics = [_found(request, name, may_create) for name in names]

    def partition(number: int) -> None:
        writer.int16(Code.NONE)
        writer.int32(number)
        writer.int32(NODE)
        writer.array([NODE], writer.int32)
        writer.array([NODE], writer.int32)
        if version >= 5:
            writer.array([], writer.int32)

    def topic(one: tuple[str, Topic | None, Code]) -> None:
        name, found, code = one
        writer.int16(code)
        writer.text(name)
        if version >= 1:
            writer.boolean(False)
        writer.array(list(range(len(found.partitions))) if found else [], partition)

    if version >= 3:
        writer.int32(0)
    writer.int32(1)
    writer.int32(NODE)
    writer.text(broker.host)
    writer.int32(broker.port)
    if version >= 1:
        writer.text(None)
    if version >= 2:
        writer.text(broker.cluster)
    if version >= 1:
        writer.int32(NODE)
    writer.array(topics, topic)
    return True


def _found(request: Request, name: str, may_create: bool) -> tuple[str, Topic | None, Code]:
    topics = request.broker.topics
    if topics.find(name) is None and may_create:
        try:
            topics.create(name, -1, {})
        except Refused as error:
            return name, None, error.code
    topic = topics.find(name)
    return name, topic, Code.NONE if topic else Code.UNKNOWN_TOPIC_OR_PARTITION


async def find_coordinator(request: Request) -> bool:
    reader, writer, version = request.reader, request.writer, request.version
    reader.text()
    is_transaction = version >= 1 and reader.int8() == 1
    if version >= 1:
        writer.int32(0)
    writer.int16(Code.INVALID_REQUEST if is_transaction else Code.NONE)
    if version >= 1:
        writer.text("this broker has no transactions" if is_transaction else None)
    writer.int32(NODE)
    writer.text(request.broker.host)
    writer.int32(request.broker.port)
    return True


KINDS = [Kind(3, 0, 5, metadata), Kind(10, 0, 2, find_coordinator)]
