"""Contracts as schemas: what producers are promised to be read, in Avro, JSON Schema and Protobuf."""

from lastmile.contracts.contract import Contract
from lastmile.streaming.schemas.contracts import avro, json_schema, protobuf
from lastmile.streaming.schemas.schema import Kind, Schema


def schema_of(contract: Contract, kind: Kind, earlier: Schema | None = None) -> Schema:
    """The contract as a schema. In Protobuf a column keeps the number that it has in an `earlier` one."""
    if kind == "AVRO":
        return avro.schema_of(contract)
    if kind == "JSON":
        return json_schema.schema_of(contract)
    return protobuf.schema_of(contract, earlier)


def is_of_contract(schema: Schema) -> bool:
    """Whether the schema was made here, of a contract."""
    if schema.kind == "AVRO":
        return avro.is_of_contract(schema)
    return json_schema.is_of_contract(schema) if schema.kind == "JSON" else protobuf.is_of_contract(schema)
