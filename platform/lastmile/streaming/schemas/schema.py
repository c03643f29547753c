"""A schema as a registry has it: its kind, its text, the schemas it refers to."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import orjson

from lastmile.errors import UserError

Kind = Literal["AVRO", "JSON", "PROTOBUF"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Invalid(UserError):
    """A text that is no schema of its kind."""


class Unknown(UserError):
    """A schema, subject or version that the registry does not have."""


@dataclass(frozen=True)
class Reference:
    """A schema that another one refers to by `name`: a version of a subject."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class Schema:
    """A schema. The text of Protobuf is a FileDescriptorProto in base64, as Confluent's clients send it."""

    kind: Kind
    text: str
    references: tuple[Reference, ...] = ()

    @property
    def digest(self) -> str:
        """The same for schemas that differ in white space only. Raises Invalid."""
        said = [self.kind, canonical(self), *sorted((one.name, one.subject, one.version) for one in self.references)]
        return hashlib.sha256(orjson.dumps(said)).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """As Confluent's protocol has it: Avro goes without saying."""
        found: dict[str, Any] = {"schema": self.text}
        if self.kind != "AVRO":
            found["schemaType"] = self.kind
        if self.references:
            found["references"] = [vars(one) for one in self.references]
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Schema":
        """Raises Invalid where that is no schema."""
        kind = found.get("schemaType") or "AVRO"
        text = found.get("schema")
        if kind not in KINDS or not isinstance(text, str):
            raise Invalid(f"expected a text `schema`, and as schemaType one of {', '.join(KINDS)}; found {kind!r}")
        try:
            references = tuple(
                Reference(str(one["name"]), str(one["subject"]), int(one["version"]))
                for one in found.get("references") or ()
            )
        except (KeyError, TypeError, ValueError):
            raise Invalid("a reference has a name, a subject and a version") from None
        return cls(cast("Kind", kind), text, references)


@dataclass(frozen=True)
class Registered:
    """A version of a subject. Equal schemas have one id, whatever subjects they are of."""

    subject: str
    version: int
    id: int
    schema: Schema


def canonical(schema: Schema) -> str:
    """The text without what does not matter. Raises Invalid where it is no schema of its kind."""
    if schema.kind == "PROTOBUF":
        return base64.standard_b64encode(descriptor_bytes(schema)).decode()
    return orjson.dumps(document(schema)).decode()


def document(schema: Schema) -> Any:
    """An Avro or JSON schema as data. Raises Invalid."""
    try:
        return orjson.loads(schema.text)
    except orjson.JSONDecodeError as error:
        if schema.kind == "AVRO" and schema.text.isidentifier():
            return schema.text  # the name of a primitive type
        raise Invalid(f"expected {schema.kind} schema in JSON: {error}") from None


def descriptor_bytes(schema: Schema) -> bytes:
    """A Protobuf schema's FileDescriptorProto, without the file's name. Raises Invalid."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    try:
        descriptor = FileDescriptorProto.FromString(base64.standard_b64decode(schema.text.encode("ascii")))
    except (ValueError, DecodeError):
        raise Invalid(
            "expected a Protobuf schema as FileDescriptorProto in base64, as Confluent's Python client sends it;"
            " the text of a .proto file is not read"
        ) from None
    descriptor.ClearField("name")
    return bytes(descriptor.SerializeToString(deterministic=True))
