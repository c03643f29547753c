"""The schema that events are held to before they are sent: one given, or the registry's."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import httpx
import orjson

_SECONDS = 15.0
_MOST_FAULTS = 5


class InvalidEvent(ValueError):
    """An event that is not what the schema says, in words; it was not sent."""


@dataclass(frozen=True)
class Schema:
    """A JSON or Avro schema. `id` is its number in the registry, without which Avro cannot be sent."""

    kind: Literal["JSON", "AVRO"]
    text: str
    id: int | None = None

    @classmethod
    def json(cls, schema: Mapping[str, Any]) -> Self:
        """One given as a JSON Schema."""
        return cls("JSON", json.dumps(schema))

    @classmethod
    def of_registry(cls, url: str, subject: str, key: str | None = None, secret: str | None = None) -> Self:
        """The newest of a subject, such as `page_views-value`. Raises httpx.HTTPError, and ValueError for a kind of
        schema that events are not sent by."""
        address = f"{url.rstrip('/')}/subjects/{subject}/versions/latest"
        answer = httpx.get(address, auth=(key, secret or "") if key else None, timeout=_SECONDS)
        answer.raise_for_status()
        found = answer.json()
        kind = found.get("schemaType", "AVRO")
        if kind not in ("JSON", "AVRO"):
            raise ValueError(f"expected {subject} to be a JSON or Avro schema, found {kind}")
        return cls(kind, found["schema"], int(found["id"]))

    @cached_property
    def document(self) -> Any:
        return orjson.loads(self.text)

    def check(self) -> Callable[[Any], None]:
        """What raises InvalidEvent, with each fault and where it is, for an event that does not fit."""
        return _by_json(self.document) if self.kind == "JSON" else _by_avro(self.document)


def _by_json(document: Any) -> Callable[[Any], None]:
    import jsonschema_rs

    validator = jsonschema_rs.validator_for(document, validate_formats=True)

    def check(event: Any) -> None:
        if not validator.is_valid(event):
            found = list(validator.iter_errors(event))
            words = [f"{_where(one.instance_path)}{one.message}" for one in found[:_MOST_FAULTS]]
            left = [f"and {len(found) - _MOST_FAULTS} more faults"] if len(found) > _MOST_FAULTS else []
            raise InvalidEvent("; ".join([*words, *left]))

    return check


def _where(path: list[str | int]) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _by_avro(document: Any) -> Callable[[Any], None]:
    import fastavro
    from fastavro.validation import ValidationError

    parsed = fastavro.parse_schema(document)
    names = {one["name"] for one in parsed["fields"]} if isinstance(parsed, dict) and "fields" in parsed else None

    def check(event: Any) -> None:
        if names is not None and (unknown := sorted(set(event) - names)):
            raise InvalidEvent(f"no fields of the schema: {', '.join(unknown)}")
        try:
            fastavro.validate(event, parsed)
        except ValidationError as error:
            raise InvalidEvent("; ".join(map(str, error.errors))) from None

    return check
