"""Protobuf schemas made usable: their files, and what they import, in a pool of their own."""

from typing import TYPE_CHECKING

from lastmile.streaming.schemas.schema import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto


def messages_of(files: "Sequence[FileDescriptorProto]") -> "list[Descriptor]":
    """The messages of the last file, which may need those before it. Raises Invalid."""
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    try:
        for known in _well_known():
            pool.AddSerializedFile(known)
        for file in files:
            pool.Add(file)
        return list(pool.FindFileByName(files[-1].name).message_types_by_name.values())
    except (TypeError, KeyError, ValueError) as error:
        raise Invalid(f"no Protobuf schema: {error}") from None


def _well_known() -> list[bytes]:
    from confluent_kafka.schema_registry.confluent import meta_pb2
    from confluent_kafka.schema_registry.confluent.type import decimal_pb2
    from google.protobuf import (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    google = (descriptor_pb2, any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
    return [module.DESCRIPTOR.serialized_pb for module in (*google, meta_pb2, decimal_pb2)]
