"""JSON Schema: what documents that one schema allows another one does not, in words.

The schemas alone say so, on the side of caution: a keyword that is not compared has to be the same in both.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
#: Says that a bound of the reader allows all that the writer's does.
_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.le,
    "exclusiveMinimum": operator.le,
    "minLength": operator.le,
    "minItems": operator.le,
    "minProperties": operator.le,
    "maximum": operator.ge,
    "exclusiveMaximum": operator.ge,
    "maxLength": operator.ge,
    "maxItems": operator.ge,
    "maxProperties": operator.ge,
}
#: Which say nothing of what is allowed.
_WORDS = ("title", "description", "default", "examples", "$comment", "$id", "$schema", "readOnly", "writeOnly")
_COMPARED = (
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf"),
    *("$ref", "$defs", "definitions", "multipleOf", "uniqueItems", *_BOUNDS),
)
_DEEPEST = 64


def unread(reader: Any, writer: Any) -> list[str]:
    """A sentence each; none where all is read."""
    return list(dict.fromkeys(_Comparison(reader, writer).unread(reader, writer, "", 0)))


class _Comparison:
    """Of two documents, within which references are resolved."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer = reader, writer

    def unread(self, reader: Any, writer: Any, at: str, depth: int) -> Iterator[str]:
        reader, writer = _resolved(reader, self._reader), _resolved(writer, self._writer)
        if reader is True or reader == {} or writer is False or (reader == writer and depth):
            return
        if depth > _DEEPEST:
            yield f"{_at(at)} goes deeper than is compared"
            return
        writer = {} if writer is True else writer
        if reader is False:
            yield f"{_at(at)} is not allowed"
            return
        branches = _branches(writer)
        if branches is not None:
            for one in branches:
                yield from self.unread(reader, one, at, depth + 1)
            return
        branches = _branches(reader)
        if branches is not None:
            yield from self._of_branches(branches, writer, at, depth)
            return
        yield from self._of_plain(reader, writer, at, depth)

    def _of_branches(self, branches: list[Any], writer: Any, at: str, depth: int) -> Iterator[str]:
        types = _types(writer)
        parts = [{**writer, "type": one} for one in types] if len(types) > 1 else [writer]
        for part in parts:
            found = [list(self.unread(one, part, at, depth + 1)) for one in branches]
            if all(found):
                (kind,) = _types(part) if len(_types(part)) == 1 else (None,)
                alike = [
                    faults
                    for one, faults in zip(branches, found, strict=True)
                    if kind and kind in _types(_resolved(one, self._reader))
                ]
                yield from alike[0] if alike else [f"{_at(at)} may be what none of its kinds allows"]

    def _of_plain(self, reader: dict[str, Any], writer: dict[str, Any], at: str, depth: int) -> Iterator[str]:
        values = _values(writer)
        if values is not None:
            yield from self._of_values(reader, values, at)
            return
        read, written = _types(reader), _types(writer)
        extra = [one for one in written if one not in read and not (one == "integer" and "number" in read)]
        if extra:
            yield f"{_at(at)} may be {' or '.join(extra)}, expected {' or '.join(read) or 'nothing'}"
            return
        if _values(reader) is not None:
            yield f"{_at(at)} may be other than {', '.join(map(str, _values(reader) or ()))}"
        yield from _narrowed(reader, writer, at)
        if "object" in written:
            yield from self._of_object(reader, writer, at, depth)
        if "array" in written and "items" in reader:
            yield from self.unread(reader["items"], writer.get("items", True), f"{at}[]", depth + 1)

    def _of_values(self, reader: dict[str, Any], values: list[Any], at: str) -> Iterator[str]:
        import jsonschema

        known = {**reader, **{key: self._reader[key] for key in ("$defs", "definitions") if key in self._reader}}
        check = jsonschema.validators.validator_for(known)(known)
        unknown = [str(value) for value in values if not check.is_valid(value)]
        if unknown:
            yield f"{_at(at)} may be {', '.join(unknown)}, which is not allowed"

    def _of_object(self, reader: dict[str, Any], writer: dict[str, Any], at: str, depth: int) -> Iterator[str]:
        read, written = reader.get("properties", {}), writer.get("properties", {})
        for name in reader.get("required", ()):
            if name not in writer.get("required", ()) and "default" not in _words(read.get(name)):
                yield f"{_at(_inside(at, name))} is required, and may be absent"
        others_read = reader.get("additionalProperties", True)
        others_written = writer.get("additionalProperties", True)
        for name, schema in written.items():
            yield from self.unread(read.get(name, others_read), schema, _inside(at, name), depth + 1)
        if others_written is False:
            return
        for name in read:
            if name not in written:
                yield from self.unread(read[name], others_written, _inside(at, name), depth + 1)
        yield from self.unread(others_read, others_written, _inside(at, "*"), depth + 1)


def _narrowed(reader: dict[str, Any], writer: dict[str, Any], at: str) -> Iterator[str]:
    for name, allows in _BOUNDS.items():
        if name in reader and not (name in writer and allows(reader[name], writer[name])):
            yield f"{_at(at)} has {name} {reader[name]}, and had {writer.get(name, 'none')}"
    if "multipleOf" in reader and ("multipleOf" not in writer or writer["multipleOf"] % reader["multipleOf"]):
        yield f"{_at(at)} has to be a multiple of {reader['multipleOf']}"
    if reader.get("uniqueItems") and not writer.get("uniqueItems"):
        yield f"{_at(at)} has to have different items"
    for name in reader:
        if name not in (*_COMPARED, *_WORDS) and not name.startswith("x-") and reader[name] != writer.get(name):
            yield f"{_at(at)} has {name} {reader[name]!r}, and had {writer.get(name, 'none')!r}"


def _branches(schema: Any) -> list[Any] | None:
    """The alternatives where a schema consists of nothing else."""
    for name in ("anyOf", "oneOf"):
        if isinstance(schema, dict) and name in schema:
            others = {key: value for key, value in schema.items() if key in (*_BOUNDS, "type", "properties", "enum")}
            return [{**others, **one} if isinstance(one, dict) else one for one in schema[name]]
    return None


def _types(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return list(_TYPES) if schema else []
    found = schema.get("type", list(_TYPES))
    return [found] if isinstance(found, str) else list(found)


def _values(schema: dict[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _resolved(schema: Any, document: Any) -> Any:
    for _ in range(_DEEPEST):
        if not (isinstance(schema, dict) and isinstance(schema.get("$ref"), str)):
            return schema
        found = document
        for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
            if part:
                found = found.get(part, {}) if isinstance(found, dict) else {}
        schema = found
    return schema


def _words(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _at(at: str) -> str:
    return f"property {at}" if at else "the message"
