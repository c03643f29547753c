"""Administration: topics made, widened and deleted, and what topics and groups are."""

from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.groups import Group, Member
from lastmile.embedded.broker.requests.kind import Kind, Request
from lastmile.embedded.broker.topics import DEFAULTS

_TOPIC, _BROKER = 2, 4
#: How a setting came about: given with the topic, or by default.
_GIVEN, _DEFAULT = 1, 5
_DEAD = "Dead"


async def create_topics(request: Request) -> bool:
    reader, writer, version = request.reader, request.writer, request.version
    topics = reader.array(
        lambda: (
            reader.text(),
            reader.int32(),
            reader.int16(),
            reader.array(lambda: (reader.int32(), reader.array(reader.int32))),
            reader.array(lambda: (reader.text(), reader.nullable_text())),
        )
    )
    reader.int32()
    only_check = reader.boolean() if version >= 1 else False

    def topic(one: tuple[str, int, int, list[tuple[int, list[int]]], list[tuple[str, str | None]]]) -> None:
        name, partitions, replicas, assigned, configs = one
        code, reason = Code.NONE, None
        try:
            _check_replicas(1 if assigned else replicas)
            given = {name: value for name, value in configs if value is not None}
            request.broker.topics.create(name, len(assigned) or partitions, given, only_check)
        except Refused as error:
            code, reason = error.code, error.reason
        writer.text(name)
        writer.int16(code)
        if version >= 1:
            writer.text(reason)

    if version >= 2:
        writer.int32(0)
    writer.array(topics, topic)
    return True


def _check_replicas(number: int) -> None:
    if number not in (-1, 1):
        raise Refused(Code.INVALID_REPLICATION_FACTOR, "there is one broker: the replication factor is 1")


async def delete_topics(request: Request) -> bool:
    reader, writer = request.reader, request.writer
    names = reader.array(reader.text)

    def topic(name: str) -> None:
        code = Code.NONE
        try:
            request.broker.topics.delete(name)
            request.broker.offsets.forget(name)
        except Refused as error:
            code = error.code
        writer.text(name)
        writer.int16(code)

    if request.version >= 1:
        writer.int32(0)
    writer.array(names, topic)
    return True


async def widen_topics(request: Request) -> bool:
    reader, writer = request.reader, request.writer
    topics = reader.array(
        lambda: (reader.text(), reader.int32(), reader.nullable_array(lambda: reader.array(reader.int32)))
    )
    _, only_check = reader.int32(), reader.boolean()

    def topic(one: tuple[str, int, object]) -> None:
        code, reason = Code.NONE, None
        try:
            found = request.broker.topics.partition(one[0], 0)[0]
            if not only_check:
                found.widen(one[1])
        except Refused as error:
            code, reason = error.code, error.reason
        writer.text(one[0])
        writer.int16(code)
        writer.text(reason)

    writer.int32(0)
    writer.array(topics, topic)
    return True


async def describe_configs(request: Request) -> bool:
    reader, writer, version = request.reader, request.writer, request.version
    resources = reader.array(lambda: (reader.int8(), reader.text(), reader.nullable_array(reader.text)))

    def setting(one: tuple[str, str, bool]) -> None:
        name, value, is_given = one
        writer.text(name)
        writer.text(value)
        writer.boolean(False)
        if version == 0:
            writer.boolean(not is_given)
        else:
            writer.int8(_GIVEN if is_given else _DEFAULT)
        writer.boolean(False)
        if version >= 1:
            writer.int32(0)

    def resource(one: tuple[int, str, list[str] | None]) -> None:
        kind, name, keys = one
        topic = request.broker.topics.find(name) if kind == _TOPIC else None
        known = topic is not None or kind == _BROKER
        given = topic.configs if topic else {}
        found = {**DEFAULTS, **given} if topic else {}
        writer.int16(Code.NONE if known else Code.UNKNOWN_TOPIC_OR_PARTITION)
        writer.text(None)
        writer.int8(kind)
        writer.text(name)
        shown = [(key, value, key in given) for key, value in found.items() if keys is None or key in keys]
        writer.array(shown, setting)

    writer.int32(0)
    writer.array(resources, resource)
    return True


async def list_groups(request: Request) -> bool:
    writer, broker = request.writer, request.broker
    kinds = dict.fromkeys(broker.offsets.groups(), "consumer")
    kinds |= {group.name: group.protocol_type for group in broker.groups.all()}

    def group(one: tuple[str, str]) -> None:
        writer.text(one[0])
        writer.text(one[1])

    if request.version >= 1:
        writer.int32(0)
    writer.int16(Code.NONE)
    writer.array(list(kinds.items()), group)
    return True


async def describe_groups(request: Request) -> bool:
    reader, writer, broker = request.reader, request.writer, request.broker
    names = reader.array(reader.text)

    def group(name: str) -> None:
        found = broker.groups.find(name) or Group(name, "consumer")
        is_known = found.members or name in broker.offsets.groups()
        writer.int16(Code.NONE)
        writer.text(name)
        writer.text(found.state if is_known else _DEAD)
        writer.text(found.protocol_type)
        writer.text(found.protocol)
        writer.array(list(found.members.values()), lambda one: member(one, found.protocol))

    def member(one: Member, protocol: str) -> None:
        writer.text(one.id)
        writer.text(one.client_id)
        writer.text(one.host)
        writer.bytes(one.protocols.get(protocol, b""))
        writer.bytes(one.assignment)

    if request.version >= 1:
        writer.int32(0)
    writer.array(names, group)
    return True


KINDS = [
    Kind(15, 0, 2, describe_groups),
    Kind(16, 0, 2, list_groups),
    Kind(19, 0, 4, create_topics),
    Kind(20, 0, 3, delete_topics),
    Kind(32, 0, 1, describe_configs),
    Kind(37, 0, 1, widen_topics),
]
