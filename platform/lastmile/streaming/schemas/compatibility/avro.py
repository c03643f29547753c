"""Avro's schema resolution: what a reader's schema cannot read of a writer's, in words."""

from collections.abc import Mapping
from typing import Any

from lastmile.streaming.schemas.schema import Invalid

#: What a reader of one type reads of another.
_PROMOTED = {
    "long": ("int",),
    "float": ("int", "long"),
    "double": ("int", "long", "float"),
    "bytes": ("string",),
}
_NAMED = ("record", "error", "enum", "fixed")
#: What a logical type says of the values beneath; without one they are plain numbers, bytes or texts.
_MEANING = ("logicalType", "scale")


def unread(reader: Any, writer: Any, of_reader: Mapping[str, Any], of_writer: Mapping[str, Any]) -> list[str]:
    """A sentence each; none where all is read. `of_reader` and `of_writer` are the named types that they refer to."""
    import fastavro

    names_read, names_written = dict(of_reader), dict(of_writer)
    try:
        parsed = fastavro.parse_schema(reader, names_read), fastavro.parse_schema(writer, names_written)
    except Exception as error:  # of many kinds
        raise Invalid(f"no Avro schema: {error}") from None
    return _Comparison(names_read, names_written).unread(*parsed, "")


class _Comparison:
    """Of two schemas whose named types are known; a pair that is being compared is not compared again inside itself."""

    def __init__(self, read: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        self._read, self._written = read, written
        self._open: set[tuple[str, str]] = set()

    def unread(self, reader: Any, writer: Any, at: str) -> list[str]:
        reader, writer = self._resolved(reader, self._read), self._resolved(writer, self._written)
        if isinstance(writer, list):
            found = [self.unread(reader, one, at) for one in writer]
            return list(dict.fromkeys(one for faults in found for one in faults))
        if isinstance(reader, list):
            return self._of_union(reader, writer, at)
        kind, written = _kind(reader), _kind(writer)
        if kind != written:
            if written not in _PROMOTED.get(kind, ()):
                return [f"{_at(at)} is {written}, expected {kind}"]
            return self._meaning(reader, writer, at)
        if kind in _NAMED:
            return self._of_named(reader, writer, at)
        if kind == "array":
            return self.unread(reader["items"], writer["items"], f"{at}[]")
        if kind == "map":
            return self.unread(reader["values"], writer["values"], f"{at}{{}}")
        return self._meaning(reader, writer, at)

    def _of_union(self, reader: list[Any], writer: Any, at: str) -> list[str]:
        found = [self.unread(one, writer, at) for one in reader]
        if any(not faults for faults in found):
            return []
        alike = [
            faults
            for one, faults in zip(reader, found, strict=True)
            if _kind(self._resolved(one, self._read)) == _kind(writer)
        ]
        return alike[0] if alike else [f"{_at(at)} is {_kind(writer)}, expected {' or '.join(map(_kind, reader))}"]

    def _of_named(self, reader: Any, writer: Any, at: str) -> list[str]:
        names = {_last(name) for name in (reader["name"], *reader.get("aliases", ()))}
        if _last(writer["name"]) not in names:
            return [f"{_at(at)} is {writer['name']}, expected {reader['name']}"]
        kind = _kind(reader)
        if kind == "fixed":
            if reader["size"] != writer["size"]:
                return [f"{_at(at)} has {writer['size']} bytes, expected {reader['size']}"]
            return self._meaning(reader, writer, at)
        if kind == "enum":
            absent = [] if "default" in reader else sorted(set(writer["symbols"]) - set(reader["symbols"]))
            return [f"{_at(at)} may be {', '.join(absent)}, which is not known"] if absent else []
        pair = (reader["name"], writer["name"])
        if pair in self._open:
            return []
        self._open.add(pair)
        found = [fault for field in reader["fields"] for fault in self._of_field(field, writer["fields"], at)]
        self._open.discard(pair)
        return found

    def _of_field(self, field: Any, written: list[Any], at: str) -> list[str]:
        name = f"{at}.{field['name']}".lstrip(".")
        there = {one["name"]: one for one in written}
        known = next((there[one] for one in (field["name"], *field.get("aliases", ())) if one in there), None)
        if known is None:
            return [] if "default" in field else [f"field {name} is not there, and has no default"]
        return self.unread(field["type"], known["type"], name)

    def _meaning(self, reader: Any, writer: Any, at: str) -> list[str]:
        read, written = _meaning(reader), _meaning(writer)
        if read == written or not (read and written):
            return []
        return [f"{_at(at)} is {_words(written)}, expected {_words(read)}"]

    def _resolved(self, schema: Any, names: Mapping[str, Any]) -> Any:
        return names.get(schema, schema) if isinstance(schema, str) else schema


def _kind(schema: Any) -> str:
    if isinstance(schema, dict):
        inner = schema["type"]
        return inner if isinstance(inner, str) else _kind(inner)
    return str(schema) if isinstance(schema, str) else "a union"


def _meaning(schema: Any) -> dict[str, Any]:
    found = {key: schema[key] for key in _MEANING if key in schema} if isinstance(schema, dict) else {}
    return found if "logicalType" in found else {}


def _words(meaning: Mapping[str, Any]) -> str:
    scale = f" of {meaning['scale']} digits behind the point" if "scale" in meaning else ""
    return f"{meaning['logicalType']}{scale}"


def _last(name: str) -> str:
    return str(name).rpartition(".")[2]


def _at(at: str) -> str:
    return f"field {at}" if at else "the message"
