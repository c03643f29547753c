"""The schemas that a schema refers to, from the registry, those first that others need."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lastmile.streaming.schemas.registry import Registry
from lastmile.streaming.schemas.schema import Invalid, Schema, descriptor_bytes, document

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

#: References inside each other.
_DEEPEST = 32


def avro_names(registry: Registry, schema: Schema) -> dict[str, Any]:
    """What fastavro needs to know before it parses the schema: the named types that it refers to."""
    import fastavro

    names: dict[str, Any] = {}
    for _, one in _referred(registry, schema, 0):
        fastavro.parse_schema(document(one), named_schemas=names)
    return names


def protobuf_files(registry: Registry, schema: Schema) -> "list[FileDescriptorProto]":
    """The files that the schema needs, and as the last its own."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    found: dict[str, FileDescriptorProto] = {}
    for name, one in (*_referred(registry, schema, 0), ("", schema)):
        file = FileDescriptorProto.FromString(descriptor_bytes(one))
        file.name = name or "messages.proto"
        found[file.name] = file
    return list(found.values())


def _referred(registry: Registry, schema: Schema, depth: int) -> Iterator[tuple[str, Schema]]:
    if depth > _DEEPEST:
        raise Invalid(f"a schema whose references go deeper than {_DEEPEST}")
    for reference in schema.references:
        found = registry.version(reference.subject, reference.version).schema
        yield from _referred(registry, found, depth + 1)
        yield reference.name, found
