"""Protobuf messages made without protoc: an order with a message inside, a list, an enum, and a time."""

from typing import Any

from google.protobuf import timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_LABELS = {"one": FieldDescriptorProto.LABEL_OPTIONAL, "many": FieldDescriptorProto.LABEL_REPEATED}


def add(
    message: Any, number: int, name: str, kind: str, label: str = "one", of: str = "", presence: bool = False
) -> None:
    field = message.field.add(name=name, number=number, label=_LABELS[label])
    field.type = getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")
    if of:
        field.type_name = of
    if presence:
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


def orders() -> FileDescriptorProto:
    file = FileDescriptorProto(name="orders.proto", package="shop", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    state = file.enum_type.add(name="State")
    state.value.add(name="NEW", number=0)
    state.value.add(name="PAID", number=1)
    other = file.message_type.add(name="Other")
    add(other, 1, "x", "int32")
    order = file.message_type.add(name="Order")
    add(order, 1, "id", "int64")
    add(order, 2, "note", "string", presence=True)
    add(order, 3, "price", "double")
    add(order, 4, "state", "enum", of=".shop.State")
    add(order, 5, "at", "message", of=".google.protobuf.Timestamp")
    add(order, 6, "tags", "string", label="many")
    line = order.nested_type.add(name="Line")
    add(line, 1, "article", "string")
    add(order, 7, "first_line", "message", of=".shop.Order.Line")
    add(order, 8, "is_gift", "bool")
    return file


def message_class(file: FileDescriptorProto, name: str) -> Any:
    """The class of a message of the file."""
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(name))
