"""Contracts published to the registry, and held against what is there before a change of one goes live.

The subject of a topic's values is `<topic>-value`, as Confluent's serializers have it. What it has may be a contract,
published here: then a change of it has to be compatible, as the subject's level says. Or it is the producers' own: then
the contract has to find its columns in it; values of other types are read as the intake reads them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from lastmile.contracts.contract import Contract
from lastmile.errors import Unreachable, UserError
from lastmile.ingestion.validation.header_match import claims
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.schemas.contracts import is_of_contract, schema_of
from lastmile.streaming.schemas.registry import Registry
from lastmile.streaming.schemas.schema import Kind, Registered, Schema, Unknown, descriptor_bytes, document

log = logging.getLogger(__name__)

_KINDS: dict[str, Kind] = {"avro": "AVRO", "protobuf": "PROTOBUF"}


@dataclass(frozen=True)
class Published:
    """A contract and the subject it is, or is to be, published as."""

    subject: str
    contract: Contract
    kind: Kind


@dataclass(frozen=True)
class Verdict:
    """What publishing would do: `broken` says what speaks against it, `is_new` whether it is another than is there."""

    published: Published
    there: Registered | None
    broken: Sequence[str]
    is_new: bool


def of_stream(stream: Stream, contract: Contract) -> Published:
    """The subject of the stream's topic."""
    return Published(f"{stream.topic}-value", contract, _KINDS.get(stream.format, "JSON"))


def latest(registry: Registry, subject: str) -> Registered | None:
    """None where the registry does not have the subject."""
    try:
        return registry.version(subject)
    except Unknown:
        return None


def judge(registry: Registry, one: Published) -> Verdict:
    """Nothing is changed. Raises UserError where the registry cannot be reached."""
    there = latest(registry, one.subject)
    if there is None:
        return Verdict(one, None, (), is_new=True)
    if not is_of_contract(there.schema):
        return Verdict(one, there, _not_found(one.contract, there.schema), is_new=False)
    schema = schema_of(one.contract, there.schema.kind, there.schema)
    if schema.digest == there.schema.digest:
        return Verdict(one, there, (), is_new=False)
    return Verdict(one, there, registry.broken_by(one.subject, schema), is_new=True)


def publish(registry: Registry, one: Published, force: bool = False) -> Registered:
    """The contract as a version of its subject, unless it is one. Raises UserError where it breaks what was promised,
    unless with `force`."""
    verdict = judge(registry, one)
    if verdict.broken and not force:
        raise UserError(refusal(verdict))
    there = verdict.there
    kind = there.schema.kind if there and not force else one.kind
    schema = schema_of(one.contract, kind, there.schema if there else None)
    if not force:
        return registry.register(one.subject, schema)
    before = registry.level(one.subject)
    registry.set_level("NONE", one.subject)
    try:
        return registry.register(one.subject, schema)
    finally:
        registry.set_level(before, one.subject)


def expect_live(registry: Registry, stream: Stream, contract: Contract) -> None:
    """Publish what is new; for the start of a consumer, which a registry that is away does not hold up.

    Raises UserError, with what changed and what to do, where the contract does not read what the topic has.
    """
    one = of_stream(stream, contract)
    try:
        verdict = judge(registry, one)
    except Unreachable as error:
        log.warning("stream %s starts without a look at its schema: %s", stream.name, error)
        return
    if verdict.broken:
        raise UserError(f"stream {stream.name} does not start: {refusal(verdict)}")
    if verdict.is_new:
        publish(registry, one)


def refusal(verdict: Verdict) -> str:
    """What speaks against it, and what to do."""
    one, there = verdict.published, verdict.there
    version = f"version {there.version} of {one.subject}" if there else one.subject
    what = "; ".join(verdict.broken)
    if there is not None and not is_of_contract(there.schema):
        return f"contract {one.contract.name} does not fit {version}, which producers registered: {what}"
    return (
        f"contract {one.contract.name} is not compatible with {version}: {what}. Change the contract so that both are"
        f" read, or give the stream a new topic; where no such message is left to be read, `lastmile schema publish"
        f" {one.contract.name} --force`"
    )


def _not_found(contract: Contract, schema: Schema) -> list[str]:
    """The required columns that messages of the schema have not."""
    names = _names(schema)
    if names is None:
        return []
    there = claims(contract, names)
    absent = [name for name in contract.required() if name not in there]
    return [f"column {name} is required, and {', '.join(names) or 'no field'} is what there is" for name in absent]


def _names(schema: Schema) -> list[str] | None:
    """The fields of its messages; None where the schema does not say."""
    if schema.kind == "PROTOBUF":
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        messages = FileDescriptorProto.FromString(descriptor_bytes(schema)).message_type
        return [field.name for field in messages[0].field] if len(messages) == 1 else None
    found = document(schema)
    if not isinstance(found, dict):
        return None
    if schema.kind == "AVRO":
        return [field["name"] for field in found.get("fields", ())]
    properties = found.get("properties")
    return list(properties) if properties and orjson.dumps(found.get("additionalProperties")) == b"false" else None
