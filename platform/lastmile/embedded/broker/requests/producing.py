"""Producing: records into partitions, acknowledged once they are on disk."""

import asyncio
from dataclasses import dataclass

from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.requests.kind import Kind, Request


@dataclass(frozen=True)
class Outcome:
    """Of one partition of a request."""

    topic: str
    partition: int
    code: Code
    base_offset: int = -1
    start: int = -1


async def produce(request: Request) -> bool:
    reader, writer = request.reader, request.writer
    reader.nullable_text()
    acknowledged, _ = reader.int16(), reader.int32()
    asked = reader.array(lambda: (reader.text(), reader.array(lambda: (reader.int32(), reader.bytes()))))
    # All are written before the first wait, so that requests of a client are in their order.
    outcomes = [_append(request, topic, *one) for topic, partitions in asked for one in partitions]
    if acknowledged == 0:
        return False
    written = [one for one in outcomes if one.code is Code.NONE]
    await asyncio.gather(*(_flush(request, one) for one in written))
    by_topic = {topic: [one for one in outcomes if one.topic == topic] for topic, _ in asked}

    def partition(one: Outcome) -> None:
        writer.int32(one.partition)
        writer.int16(one.code)
        writer.int64(one.base_offset)
        writer.int64(-1)
        if request.version >= 5:
            writer.int64(one.start)

    def topic(one: tuple[str, list[Outcome]]) -> None:
        writer.text(one[0])
        writer.array(one[1], partition)

    writer.array(list(by_topic.items()), topic)
    writer.int32(0)
    return True


async def new_producer(request: Request) -> bool:
    writer, is_transactional = request.writer, request.reader.nullable_text() is not None
    writer.int32(0)
    writer.int16(Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED if is_transactional else Code.NONE)
    writer.int64(-1 if is_transactional else request.broker.new_producer())
    writer.int16(-1 if is_transactional else 0)
    return True


def _append(request: Request, name: str, number: int, records: memoryview) -> Outcome:
    try:
        topic, partition = request.broker.topics.partition(name, number)
        return Outcome(name, number, Code.NONE, partition.append(records, topic.most_bytes), partition.start)
    except Refused as error:
        return Outcome(name, number, error.code)


async def _flush(request: Request, one: Outcome) -> None:
    await request.broker.flushing.flushed(request.broker.topics.partition(one.topic, one.partition)[1])


KINDS = [Kind(0, 3, 7, produce, also_from=0), Kind(22, 0, 1, new_producer)]
