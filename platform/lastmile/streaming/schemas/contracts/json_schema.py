"""A contract as JSON Schema, with the checks of its columns as far as JSON Schema has them.

Only the columns are promised to be read, so other properties are not allowed, though the intake may keep them: a column
can be added later without meeting what was sent under its name before.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pandera.polars as pa

from lastmile.contracts.contract import Contract
from lastmile.streaming.schemas.schema import Schema, document

_MARK = "x-contract"
_TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": "number"},
    "whole number": {"type": "integer"},
    "decimal": {"type": ["number", "string"]},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "time of day": {"type": "string", "format": "time"},
    "list of codes": {"type": "array", "items": {"type": "string"}},
    "JSON": {},
    "text": {"type": "string"},
}
#: pandera's name of a check: the keyword of JSON Schema, by the name of the check's value.
_NUMBERS = {
    "greater_than_or_equal_to": {"min_value": "minimum"},
    "less_than_or_equal_to": {"max_value": "maximum"},
    "greater_than": {"min_value": "exclusiveMinimum"},
    "less_than": {"max_value": "exclusiveMaximum"},
    "in_range": {"min_value": "minimum", "max_value": "maximum"},
}
_LENGTHS = {"str_length": {"min_value": "minLength", "max_value": "maxLength"}}
_VALUES = {"isin": {"allowed_values": "enum"}, "str_matches": {"pattern": "pattern"}}


def schema_of(contract: Contract) -> Schema:
    columns = contract.columns
    made = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": contract.name,
        "description": contract.description,
        _MARK: contract.name,
        "type": "object",
        "properties": {name: _property(contract, name) for name in columns},
        "required": [name for name, spec in columns.items() if spec.required and not spec.nullable],
        "additionalProperties": False,
    }
    return Schema("JSON", orjson.dumps(made, default=str).decode())


def is_of_contract(schema: Schema) -> bool:
    found = document(schema)
    return isinstance(found, dict) and _MARK in found


def _property(contract: Contract, name: str) -> dict[str, Any]:
    spec, kind, metadata = contract.columns[name], contract.kinds[name], contract.metadata(name)
    made = dict(_TYPES[kind.name])
    if metadata["formats"] or metadata["true"] or metadata["symbols"] or metadata["separator"]:
        made = {"type": "string"} if kind.name != "list of codes" else {"type": ["array", "string"]}
    for check in spec.checks:
        made |= _checked(check, made.get("type"))
    if "enum" in made:
        del made["type"]
        made["enum"] = [*made["enum"], None] if spec.nullable else made["enum"]
    elif made and (spec.nullable or not spec.required):
        types = made["type"] if isinstance(made["type"], list) else [made["type"]]
        made["type"] = [*types, "null"]
    words = {"description": spec.description, "x-unit": metadata["unit"]}
    return made | {key: value for key, value in words.items() if value}


def _checked(check: pa.Check, kind: Any) -> dict[str, Any]:
    keywords = {**(_NUMBERS if kind in ("number", "integer") else {}), **_VALUES}
    keywords |= _LENGTHS if kind == "string" else {}
    found = {}
    for name, keyword in keywords.get(str(check.name), {}).items():
        value = (check.statistics or {}).get(name)
        if value is not None:
            found[keyword] = _anchored(_plain(value)) if keyword == "pattern" else _plain(value)
    return found


def _anchored(pattern: str) -> str:
    """pandera looks at the start of a text, JSON Schema anywhere in it."""
    return pattern if pattern.startswith("^") else f"^(?:{pattern})"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "pattern"):
        return value.pattern
    return [_plain(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else value
