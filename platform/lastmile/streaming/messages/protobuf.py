"""Protobuf messages to events, by the descriptors that their schema consists of; no class is generated beforehand."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from lastmile.streaming.messages.merging import NUMBER
from lastmile.streaming.schemas.descriptors import messages_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import Message

#: By the number of the type in descriptors.
_FLOATS, _TEXT, _BYTES, _ENUM, _MESSAGE, _BOOLEAN = {1: pl.Float64(), 2: pl.Float32()}, 9, 12, 14, (10, 11), 8
_UNSIGNED = (4, 6)
_MOST_INDEXES = 32
#: Stands for the first message of a schema.
_FIRST = b"\0"
_WRAPPERS = ("DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue")
_TEXT_WRAPPER = "StringValue"


class ProtobufReader:
    """Reads messages of one schema; which of its messages is said at the start of each. Raises Invalid."""

    def __init__(self, files: "Sequence[FileDescriptorProto]") -> None:
        self._messages = messages_of(files)
        self._shapes: dict[tuple[int, ...], _Shape | str] = {}

    def read(self, bodies: Sequence[bytes], first: int, found: list[pl.DataFrame], bad: list[tuple[int, str]]) -> None:
        """As AvroReader's."""
        for path, messages in _by_path(bodies, first, bad).items():
            shape = self._shape(path)
            if isinstance(shape, str):
                bad += [(number, shape) for number, _ in messages]
            else:
                shape.read(messages, found, bad)

    def _shape(self, path: tuple[int, ...]) -> "_Shape | str":
        if path not in self._shapes:
            try:
                descriptor = self._messages[path[0]]
                for index in path[1:]:
                    descriptor = descriptor.nested_types[index]
            except IndexError:
                return f"its schema has no message {list(path)}"
            self._shapes[path] = _Shape(descriptor)
        return self._shapes[path]


class _Shape:
    """A kind of message: its fields as columns."""

    def __init__(self, descriptor: "Descriptor") -> None:
        from google.protobuf.message_factory import GetMessageClass

        self._class = GetMessageClass(descriptor)
        self._columns = {field.name: _column(field) for field in descriptor.fields}

    def read(
        self, messages: Sequence[tuple[int, bytes]], found: list[pl.DataFrame], bad: list[tuple[int, str]]
    ) -> None:
        from google.protobuf.message import DecodeError

        events, numbers = [], []
        parse = self._class.FromString
        for number, body in messages:
            try:
                events.append(parse(body))
                numbers.append(number)
            except DecodeError as error:
                bad.append((number, f"not what its schema says: {error}"))
        if events:
            columns = {name: values(events) for name, (values, _) in self._columns.items()}
            types = {name: dtype for name, (_, dtype) in self._columns.items()}
            frame = pl.DataFrame(columns, schema=types, strict=False)
            found.append(frame.with_columns(pl.Series(NUMBER, numbers, pl.UInt32)))


_Column = tuple[Callable[[Sequence["Message"]], list[Any]], pl.DataType]


def _column(field: "FieldDescriptor") -> _Column:
    """How the values of a field are got from messages, and the type of their column."""
    name, get = field.name, attrgetter(field.name)
    if _is_repeated(field):
        return (lambda messages: [_json_of(message, name) for message in messages]), pl.String()
    if field.type in _MESSAGE:
        return _of_message(field)
    value, dtype = _of_value(field)
    if field.has_presence:
        return (lambda messages: [value(get(one)) if one.HasField(name) else None for one in messages]), dtype
    if field.type == _ENUM:
        return (lambda messages: [value(get(one)) for one in messages]), dtype
    return (lambda messages: list(map(get, messages))), dtype


def _of_value(field: "FieldDescriptor") -> tuple[Callable[[Any], Any], pl.DataType]:
    if field.type == _ENUM:
        names = field.enum_type.values_by_number
        return (lambda value: names[value].name if value in names else str(value)), pl.String()
    if field.type == _TEXT:
        return _same, pl.String()
    if field.type == _BYTES:
        return _same, pl.Binary()
    if field.type == _BOOLEAN:
        return _same, pl.Boolean()
    if field.type in _UNSIGNED:
        return _same, pl.UInt64()
    return _same, _FLOATS.get(field.type, pl.Int64())


def _of_message(field: "FieldDescriptor") -> _Column:
    name, full = field.name, field.message_type.full_name
    package, _, kind = full.rpartition(".")
    if full == "google.protobuf.Timestamp":
        return (
            lambda messages: [_micros(getattr(one, name)) if one.HasField(name) else None for one in messages]
        ), pl.Datetime("us", "UTC")
    if package == "google.protobuf" and kind in (*_WRAPPERS, _TEXT_WRAPPER):
        _, dtype = _of_value(field.message_type.fields_by_name["value"])
        return (lambda messages: [getattr(one, name).value if one.HasField(name) else None for one in messages]), dtype
    return (lambda messages: [_json_of(one, name) if one.HasField(name) else None for one in messages]), pl.String()


def _same(value: Any) -> Any:
    return value


def _micros(moment: Any) -> int | None:
    """Microseconds since 1970; None where that is no time at all."""
    micros = moment.seconds * 1_000_000 + moment.nanos // 1_000
    return micros if abs(micros) < 2**62 else None


def _json_of(message: "Message", name: str) -> str:
    """The JSON of a field that is a list, a map or a message."""
    import orjson
    from google.protobuf.json_format import MessageToDict

    field = message.DESCRIPTOR.fields_by_name[name]
    alone = type(message)()
    value = getattr(message, name)
    if _is_repeated(field):
        if not value:
            return "{}" if field.message_type and field.message_type.GetOptions().map_entry else "[]"
        getattr(alone, name).MergeFrom(value)
    else:
        getattr(alone, name).CopyFrom(value)
    return orjson.dumps(MessageToDict(alone, preserving_proto_field_name=True)[name]).decode()


def _is_repeated(field: "FieldDescriptor") -> bool:
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if repeated is None else repeated)


def _by_path(
    bodies: Sequence[bytes], first: int, bad: list[tuple[int, str]]
) -> dict[tuple[int, ...], list[tuple[int, bytes]]]:
    """The numbers and contents of messages by which of the schema's messages they are."""
    groups: dict[tuple[int, ...], list[tuple[int, bytes]]] = {}
    if all(body[:1] == _FIRST for body in bodies):
        return {(0,): [(number, body[1:]) for number, body in enumerate(bodies, first)]}
    for number, body in enumerate(bodies, first):
        try:
            path, start = _path(body)
        except (IndexError, ValueError):
            bad.append((number, "expected the indexes of its message behind the number of its schema"))
            continue
        groups.setdefault(path, []).append((number, body[start:]))
    return groups


def _path(body: bytes) -> tuple[tuple[int, ...], int]:
    """The indexes of the message within its schema, and where it begins: a zero stands for the first."""
    count, at = _zigzag(body, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= _MOST_INDEXES:
        raise ValueError(count)
    path = []
    for _ in range(count):
        index, at = _zigzag(body, at)
        if index < 0:
            raise ValueError(index)
        path.append(index)
    return tuple(path), at


def _zigzag(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
        if shift > 63:
            raise ValueError(number)
