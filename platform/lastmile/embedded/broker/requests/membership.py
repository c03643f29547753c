"""Groups: joining, assigning, heartbeats, leaving; and the offsets they commit."""

from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.groups import Joined, Member
from lastmile.embedded.broker.offsets import NONE, Committed
from lastmile.embedded.broker.requests.kind import Kind, Request


async def join(request: Request) -> bool:
    reader, version = request.reader, request.version
    name, session = reader.text(), reader.int32() / 1000
    rebalance = reader.int32() / 1000 if version >= 1 else session
    member_id, kind = reader.text(), reader.text()
    protocols = dict(reader.array(lambda: (reader.text(), bytes(reader.bytes()))))
    new = Member("", request.client, request.host, session, rebalance, protocols)
    try:
        _joined(request, Code.NONE, await request.broker.groups.of(name).join(member_id, new, kind))
    except Refused as error:
        _joined(request, error.code, Joined(-1, "", "", member_id, {}))
    return True


def _joined(request: Request, code: Code, joined: Joined) -> None:
    writer = request.writer

    def member(one: tuple[str, bytes]) -> None:
        writer.text(one[0])
        writer.bytes(one[1])

    if request.version >= 2:
        writer.int32(0)
    writer.int16(code)
    writer.int32(joined.generation)
    writer.text(joined.protocol)
    writer.text(joined.leader)
    writer.text(joined.member)
    writer.array(list(joined.members.items()), member)


async def sync(request: Request) -> bool:
    reader = request.reader
    name, generation, member_id = reader.text(), reader.int32(), reader.text()
    assignments = dict(reader.array(lambda: (reader.text(), bytes(reader.bytes()))))
    code, assignment = Code.NONE, b""
    try:
        assignment = await request.broker.groups.existing(name).sync(member_id, generation, assignments)
    except Refused as error:
        code = error.code
    if request.version >= 1:
        request.writer.int32(0)
    request.writer.int16(code)
    request.writer.bytes(assignment)
    return True


async def heartbeat(request: Request) -> bool:
    reader = request.reader
    name, generation, member_id = reader.text(), reader.int32(), reader.text()
    code = Code.NONE
    try:
        request.broker.groups.existing(name).heartbeat(member_id, generation)
    except Refused as error:
        code = error.code
    return _only_code(request, code)


async def leave(request: Request) -> bool:
    code = Code.NONE
    try:
        request.broker.groups.existing(request.reader.text()).leave(request.reader.text())
    except Refused as error:
        code = error.code
    return _only_code(request, code)


def _only_code(request: Request, code: Code) -> bool:
    if request.version >= 1:
        request.writer.int32(0)
    request.writer.int16(code)
    return True


async def commit(request: Request) -> bool:
    reader, writer, version = request.reader, request.writer, request.version
    name, generation, member_id = reader.text(), reader.int32(), reader.text()
    if version <= 4:
        reader.int64()

    def committed() -> tuple[int, Committed]:
        number, offset = reader.int32(), reader.int64()
        epoch = reader.int32() if version >= 6 else -1
        return number, Committed(offset, epoch, reader.nullable_text() or "")

    topics = reader.array(lambda: (reader.text(), reader.array(committed)))
    offsets = {(topic, number): one for topic, ones in topics for number, one in ones}
    code = Code.NONE
    try:
        _may_commit(request, name, generation, member_id)
        request.broker.offsets.commit(name, offsets)
    except Refused as error:
        code = error.code

    def partition(one: tuple[int, Committed]) -> None:
        writer.int32(one[0])
        writer.int16(code)

    def topic(one: tuple[str, list[tuple[int, Committed]]]) -> None:
        writer.text(one[0])
        writer.array(one[1], partition)

    if version >= 3:
        writer.int32(0)
    writer.array(topics, topic)
    return True


def _may_commit(request: Request, name: str, generation: int, member_id: str) -> None:
    group = request.broker.groups.find(name)
    if generation < 0 and not (group and group.members):
        return  # a consumer without a group's assignment
    if group is None:
        raise Refused(Code.ILLEGAL_GENERATION)
    group.check(member_id, generation)


async def committed(request: Request) -> bool:
    reader, writer, version = request.reader, request.writer, request.version
    known = request.broker.offsets.of(reader.text())
    named = reader.nullable_array(lambda: (reader.text(), reader.array(reader.int32)))
    if named is None:
        names = sorted({topic for topic, _ in known})
        named = [(name, [number for topic, number in known if topic == name]) for name in names]

    def partition(topic: str, number: int) -> None:
        one = known.get((topic, number), NONE)
        writer.int32(number)
        writer.int64(one.offset)
        if version >= 5:
            writer.int32(one.leader_epoch)
        writer.text(one.metadata)
        writer.int16(Code.NONE)

    def topic(one: tuple[str, list[int]]) -> None:
        writer.text(one[0])
        writer.array(one[1], lambda number: partition(one[0], number))

    if version >= 3:
        writer.int32(0)
    writer.array(named, topic)
    if version >= 2:
        writer.int16(Code.NONE)
    return True


KINDS = [
    Kind(8, 2, 6, commit),
    Kind(9, 1, 5, committed),
    Kind(11, 0, 3, join),
    Kind(12, 0, 2, heartbeat),
    Kind(13, 0, 2, leave),
    Kind(14, 0, 2, sync),
]
