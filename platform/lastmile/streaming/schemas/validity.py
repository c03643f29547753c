"""Whether a text is a schema of its kind, with all that it refers to."""

from lastmile.streaming.schemas.descriptors import messages_of
from lastmile.streaming.schemas.registry import Registry
from lastmile.streaming.schemas.resolving import avro_names, protobuf_files
from lastmile.streaming.schemas.schema import Invalid, Schema, document


def expect_valid(registry: Registry, schema: Schema) -> None:
    """Raises Invalid, and Unknown where the registry has not what it refers to."""
    if schema.kind == "AVRO":
        _expect_avro(registry, schema)
    elif schema.kind == "JSON":
        _expect_json(schema)
    else:
        _expect_protobuf(registry, schema)


def _expect_avro(registry: Registry, schema: Schema) -> None:
    import fastavro

    names = avro_names(registry, schema)
    try:
        fastavro.parse_schema(document(schema), named_schemas=names)
    except Exception as error:  # of many kinds
        raise Invalid(f"no Avro schema: {error}") from None


def _expect_json(schema: Schema) -> None:
    import jsonschema

    found = document(schema)
    if not isinstance(found, dict | bool):
        raise Invalid("no JSON schema: expected an object")
    try:
        jsonschema.validators.validator_for(found).check_schema(found)
    except jsonschema.SchemaError as error:
        raise Invalid(f"no JSON schema: {error.message}") from None


def _expect_protobuf(registry: Registry, schema: Schema) -> None:
    messages_of(protobuf_files(registry, schema))
