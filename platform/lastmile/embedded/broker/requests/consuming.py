"""Consuming: records from an offset on, waited for as long as the client wants, and offsets by time."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.partition import Partition
from lastmile.embedded.broker.requests.kind import Kind, Request

_EARLIEST, _LATEST = -2, -1


@dataclass(frozen=True)
class Wanted:
    """One partition of a request."""

    number: int
    offset: int
    most: int


@dataclass(frozen=True)
class Found:
    """Records of one partition, or why there are none."""

    number: int
    code: Code
    high: int = -1
    start: int = -1
    records: bytes = b""


async def fetch(request: Request) -> bool:
    reader, version = request.reader, request.version
    _, wait, least, most, _ = reader.int32(), reader.int32(), reader.int32(), reader.int32(), reader.int8()
    if version >= 7:
        reader.int64()  # a session: every request names all its partitions here

    def wanted() -> Wanted:
        number = reader.int32()
        if version >= 9:
            reader.int32()
        offset = reader.int64()
        if version >= 5:
            reader.int64()
        return Wanted(number, offset, reader.int32())

    topics = reader.array(lambda: (reader.text(), reader.array(wanted)))
    found = await _waited_for(request, topics, wait / 1000, least, most)
    _write(request, found)
    return True


async def _waited_for(
    request: Request, topics: list[tuple[str, list[Wanted]]], seconds: float, least: int, most: int
) -> list[tuple[str, list[Found]]]:
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    deadline, watched = loop.time() + seconds, _partitions(request, topics)
    for partition in watched:
        partition.waiting.add(event)
    try:
        while True:
            event.clear()
            found = _read(request, topics, most)
            size = sum(len(one.records) for _, ones in found for one in ones)
            has_error = any(one.code for _, ones in found for one in ones)
            left = deadline - loop.time()
            if has_error or size >= least or left <= 0:
                return found
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), left)
    finally:
        for partition in watched:
            partition.waiting.discard(event)


def _partitions(request: Request, topics: list[tuple[str, list[Wanted]]]) -> list[Partition]:
    found = []
    for name, ones in topics:
        for one in ones:
            with suppress(Refused):
                found.append(request.broker.topics.partition(name, one.number)[1])
    return found


def _read(request: Request, topics: list[tuple[str, list[Wanted]]], most: int) -> list[tuple[str, list[Found]]]:
    """At least one batch even where that is longer than allowed, so that a client gets on."""
    left, answer = most, []
    for name, ones in topics:
        found = []
        for one in ones:
            try:
                partition = request.broker.topics.partition(name, one.number)[1]
                has_room = left > 0
                records = partition.read(one.offset, min(one.most, left)) if has_room else b""
                left -= len(records)
                found.append(Found(one.number, Code.NONE, partition.high, partition.start, records))
            except Refused as error:
                found.append(Found(one.number, error.code))
        answer.append((name, found))
    return answer


def _write(request: Request, found: list[tuple[str, list[Found]]]) -> None:
    writer, version = request.writer, request.version

    def partition(one: Found) -> None:
        writer.int32(one.number)
        writer.int16(one.code)
        writer.int64(one.high)
        writer.int64(one.high)
        if version >= 5:
            writer.int64(one.start)
        writer.int32(0)
        if version >= 11:
            writer.int32(-1)
        writer.records(one.records)

    def topic(one: tuple[str, list[Found]]) -> None:
        writer.text(one[0])
        writer.array(one[1], partition)

    writer.int32(0)
    if version >= 7:
        writer.int16(Code.NONE)
        writer.int32(0)
    writer.array(found, topic)


async def list_offsets(request: Request) -> bool:
    reader, writer = request.reader, request.writer
    reader.int32()
    if request.version >= 2:
        reader.int8()
    topics = reader.array(lambda: (reader.text(), reader.array(lambda: (reader.int32(), reader.int64()))))

    def partition(name: str, number: int, time: int) -> None:
        try:
            code, (found_time, offset) = Code.NONE, _offset(request.broker.topics.partition(name, number)[1], time)
        except Refused as error:
            code, found_time, offset = error.code, -1, -1
        writer.int32(number)
        writer.int16(code)
        writer.int64(found_time)
        writer.int64(offset)

    def topic(one: tuple[str, list[tuple[int, int]]]) -> None:
        writer.text(one[0])
        writer.array(one[1], lambda asked: partition(one[0], *asked))

    if request.version >= 2:
        writer.int32(0)
    writer.array(topics, topic)
    return True


def _offset(partition: Partition, time: int) -> tuple[int, int]:
    if time == _LATEST:
        return -1, partition.high
    if time == _EARLIEST:
        return -1, partition.start
    return partition.offset_at(time)


KINDS = [Kind(1, 4, 11, fetch, also_from=0), Kind(2, 1, 3, list_offsets, also_from=0)]
