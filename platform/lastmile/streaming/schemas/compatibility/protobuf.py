"""Protobuf: what a reader's messages cannot read of a writer's, by the numbers of the fields, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

#: Types whose values are the same bytes, and mean the same as far as both have them.
_ALIKE = ({3, 4, 5, 8, 13, 14}, {17, 18}, {6, 16}, {7, 15}, {9, 12})
_NAMES = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    6: "fixed64",
    7: "fixed32",
    8: "bool",
    9: "string",
    11: "message",
    12: "bytes",
    13: "uint32",
    14: "enum",
    15: "sfixed32",
    16: "sfixed64",
    17: "sint32",
    18: "sint64",
}
_REPEATED, _REQUIRED = 3, 2
_MESSAGE = 11


def unread(reader: "FileDescriptorProto", writer: "FileDescriptorProto") -> list[str]:
    """A sentence each; none where all is read."""
    found = []
    if reader.package != writer.package:
        found.append(f"its package is {writer.package!r}, expected {reader.package!r}")
    return [*found, *_messages(list(reader.message_type), list(writer.message_type), "")]


def _messages(reader: "list[DescriptorProto]", writer: "list[DescriptorProto]", at: str) -> Iterator[str]:
    known = {one.name: one for one in reader}
    for place, message in enumerate(writer):
        name = f"{at}.{message.name}".lstrip(".")
        if message.name not in known:
            yield f"message {name} is not known"
            continue
        if not at and reader[place : place + 1] != [known[message.name]] and place < len(reader):
            yield f"message {name} has another place among the messages, by which it is named on the wire"
        yield from _fields(known[message.name], message, name)
        yield from _messages(list(known[message.name].nested_type), list(message.nested_type), name)


def _fields(reader: "DescriptorProto", writer: "DescriptorProto", at: str) -> Iterator[str]:
    written = {field.number: field for field in writer.field}
    for field in reader.field:
        there = written.get(field.number)
        if there is None:
            if field.label == _REQUIRED:
                yield f"{at}.{field.name} is required, and is not there"
            continue
        yield from _field(field, there, f"{at}.{field.name}")


def _field(reader: "FieldDescriptorProto", writer: "FieldDescriptorProto", at: str) -> Iterator[str]:
    if reader.name != writer.name:
        yield f"{at} is number {reader.number}, which is {writer.name}: give a new field a new number"
        return
    is_alike = reader.type == writer.type or any({reader.type, writer.type} <= alike for alike in _ALIKE)
    is_same_message = reader.type != _MESSAGE or _last(reader.type_name) == _last(writer.type_name)
    if not (is_alike and is_same_message):
        yield f"{at} is {_word(writer)}, expected {_word(reader)}"
    elif (reader.label == _REPEATED) != (writer.label == _REPEATED):
        many = "repeated" if writer.label == _REPEATED else "one value"
        yield f"{at} is {many}, expected {'one value' if many == 'repeated' else 'repeated'}"


def _word(field: "FieldDescriptorProto") -> str:
    return _last(field.type_name) if field.type == _MESSAGE else _NAMES.get(field.type, str(field.type))


def _last(name: str) -> str:
    return name.rpartition(".")[2]
