"""A contract as a Protobuf message. Every column has presence, so that empty and zero stay apart.

On the wire a column is its number. So a column keeps the one that it had in the version before, and that of a removed
one is never given again.
"""

import base64
from typing import TYPE_CHECKING

from lastmile.contracts.contract import Contract
from lastmile.streaming.schemas.schema import Schema, descriptor_bytes

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

_PACKAGE = "lastmile"
_DOUBLE, _INT64, _BOOL, _STRING, _MESSAGE = 1, 3, 8, 9, 11
_TYPES = {"number": _DOUBLE, "whole number": _INT64, "boolean": _BOOL}
_OPTIONAL, _REPEATED = 1, 3
_TIMESTAMP = "google/protobuf/timestamp.proto"
#: Numbers from here on are Protobuf's own, up to the second.
_THEIRS, _OURS_AGAIN = 19_000, 20_000


def schema_of(contract: Contract, earlier: Schema | None = None) -> Schema:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto(name=f"{contract.name}.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(_TIMESTAMP)
    message = file.message_type.add(name=contract.name)
    before = _message(earlier, contract.name)
    numbers = _numbers(list(contract.columns), before)
    for name, number in numbers.items():
        _add(message, contract, name, number)
    for name, number in sorted(_given(before).items(), key=lambda one: one[1]):
        if name not in numbers:
            message.reserved_name.append(name)
            message.reserved_range.add(start=number, end=number + 1)
    return Schema("PROTOBUF", base64.standard_b64encode(file.SerializeToString(deterministic=True)).decode())


def is_of_contract(schema: Schema) -> bool:
    return str(_file(schema).package) == _PACKAGE


def _numbers(names: list[str], before: "DescriptorProto | None") -> dict[str, int]:
    given = _given(before)
    following = max(given.values(), default=0) + 1
    numbers = {}
    for name in names:
        if name in given:
            numbers[name] = given[name]
            continue
        following = _OURS_AGAIN if _THEIRS <= following < _OURS_AGAIN else following
        numbers[name], following = following, following + 1
    return numbers


def _given(before: "DescriptorProto | None") -> dict[str, int]:
    """The numbers of the columns that there are and that there were."""
    if before is None:
        return {}
    removed = {name: one.start for name, one in zip(before.reserved_name, before.reserved_range, strict=True)}
    return {**removed, **{field.name: field.number for field in before.field}}


def _add(message: "DescriptorProto", contract: Contract, name: str, number: int) -> None:
    kind = contract.kinds[name].name
    field = message.field.add(name=name, number=number, label=_OPTIONAL, type=_TYPES.get(kind, _STRING))
    if kind == "list of codes":
        field.label = _REPEATED
        return
    if kind == "timestamp":
        field.type, field.type_name = _MESSAGE, ".google.protobuf.Timestamp"
    field.proto3_optional = True
    field.oneof_index = len(message.oneof_decl)
    message.oneof_decl.add(name=f"_{name}")


def _message(schema: Schema | None, name: str) -> "DescriptorProto | None":
    if schema is None or schema.kind != "PROTOBUF":
        return None
    return next((one for one in _file(schema).message_type if one.name == name), None)


def _file(schema: Schema) -> "FileDescriptorProto":
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    return FileDescriptorProto.FromString(descriptor_bytes(schema))
