"""A registry that speaks Confluent's protocol, reached by Confluent's own client."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from lastmile.errors import Unreachable, UserError
from lastmile.streaming.schemas.files import DEFAULT_LEVEL, Incompatible
from lastmile.streaming.schemas.registry import LATEST, Level
from lastmile.streaming.schemas.schema import Invalid, Reference, Registered, Schema, Unknown

Found = TypeVar("Found")
_SECONDS = 10
_INCOMPATIBLE, _INVALID = (409,), (422,)


class ConfluentRegistry:
    """As Registry; `configuration` is that of SchemaRegistryClient."""

    def __init__(self, configuration: Mapping[str, str]) -> None:
        from confluent_kafka.schema_registry import SchemaRegistryClient

        self._url = configuration["url"]
        self._client = SchemaRegistryClient({"timeout": _SECONDS, **configuration})

    def by_id(self, number: int) -> Schema:
        # Of Protobuf the descriptor, which is what is read here; other kinds have no such format and ignore it.
        return _schema(self._called(lambda: self._client.get_schema(number, fmt="serialized")))

    def subjects(self) -> list[str]:
        return sorted(self._called(self._client.get_subjects))

    def versions(self, subject: str) -> list[int]:
        return sorted(self._called(lambda: self._client.get_versions(subject)))

    def version(self, subject: str, version: int | str = LATEST) -> Registered:
        if version == LATEST:
            return _registered(self._called(lambda: self._client.get_latest_version(subject, fmt="serialized")))
        return _registered(self._called(lambda: self._client.get_version(subject, int(version), fmt="serialized")))

    def register(self, subject: str, schema: Schema) -> Registered:
        try:
            self._called(lambda: self._client.register_schema(subject, _theirs(schema)))
        except Invalid:
            raise
        except _Conflict as error:
            raise Incompatible(subject, self.level(subject), [str(error)]) from None
        found = self._called(lambda: self._client.lookup_schema(subject, _theirs(schema)))
        return Registered(subject, int(found.version or 0), int(found.schema_id or 0), schema)

    def level(self, subject: str | None = None) -> Level:
        try:
            found = self._called(lambda: self._client.get_compatibility(subject))
        except Unknown:
            found = self._called(lambda: self._client.get_compatibility(None)) if subject else DEFAULT_LEVEL
        return cast("Level", str(getattr(found, "value", found)))

    def set_level(self, level: Level, subject: str | None = None) -> None:
        self._called(lambda: self._client.set_compatibility(subject, level))

    def broken_by(self, subject: str, schema: Schema) -> list[str]:
        """As far as the registry says."""
        try:
            if self._called(lambda: self._client.test_compatibility_all_versions(subject, _theirs(schema))):
                return []
        except Unknown:
            return []
        return [f"the registry says so of the {self.level(subject)} level"]

    def _called(self, call: Callable[[], Found]) -> Found:
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return call()
        except SchemaRegistryError as error:
            words = f"the schema registry at {self._url} answered: {error.error_message}"
            if error.http_status_code == 404:
                raise Unknown(words) from None
            if error.http_status_code in _INCOMPATIBLE:
                raise _Conflict(words) from None
            if error.http_status_code in _INVALID:
                raise Invalid(words) from None
            raise Unreachable(f"{words}; check LASTMILE_SCHEMA_REGISTRY_URL, _KEY and _SECRET") from None
        except Exception as error:  # of the HTTP library beneath
            raise Unreachable(
                f"the schema registry at {self._url} cannot be reached: {error}; check LASTMILE_SCHEMA_REGISTRY_URL"
            ) from error


class _Conflict(UserError):
    """A schema that is not compatible, as the registry says it."""


def _schema(found: Any) -> Schema:
    references = tuple(Reference(one.name, one.subject, one.version) for one in found.references or ())
    return Schema(found.schema_type or "AVRO", found.schema_str, references)


def _registered(found: Any) -> Registered:
    return Registered(found.subject, found.version, found.schema_id, _schema(found.schema))


def _theirs(schema: Schema) -> Any:
    from confluent_kafka.schema_registry import Schema as Theirs
    from confluent_kafka.schema_registry import SchemaReference

    references = [SchemaReference(one.name, one.subject, one.version) for one in schema.references]
    return Theirs(schema.text, schema.kind, references)
