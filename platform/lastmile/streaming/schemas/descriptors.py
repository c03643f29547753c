"""Protobuf schemas made usable: their files, and what they import, in a pool of their own."""

from typing import TYPE_CHECKING, Any

from lastmile.streaming.schemas.schema import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto


def messages_of(files: "Sequence[FileDescriptorProto]") -> "list[Descriptor]":
    """The messages of the last file, which may need those before it. Raises Invalid."""
    from google.protobuf.descriptor_pool import DescriptorPool

    pool, known = DescriptorPool(), _well_known()
    for file in files:
        known.pop(file.name, None)
    try:
        for file in files:
            _add_imported(pool, file, known)
            pool.Add(file)
        return list(pool.FindFileByName(files[-1].name).message_types_by_name.values())
    except (TypeError, KeyError, ValueError) as error:
        raise Invalid(f"no Protobuf schema: {error}") from None


def _add_imported(pool: Any, file: "FileDescriptorProto", known: "dict[str, FileDescriptorProto]") -> None:
    """Add the well-known files that the file needs, each once."""
    for name in file.dependency:
        if name in known:
            imported = known.pop(name)
            _add_imported(pool, imported, known)
            pool.Add(imported)


def _well_known() -> "dict[str, FileDescriptorProto]":
    """The files that come with Protobuf and with Confluent's clients, by the names that they are imported by."""
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
    files = [module.DESCRIPTOR.serialized_pb for module in (*google, meta_pb2, decimal_pb2)]
    found = map(descriptor_pb2.FileDescriptorProto.FromString, files)
    return {file.name: file for file in found}
