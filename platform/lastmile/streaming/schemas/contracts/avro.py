"""A contract as an Avro record. What may be absent, or empty, is null by default, so it can be added and removed."""

import re
from typing import Any

import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.streaming.schemas.schema import Schema, document

_MARK = "contract"
_TYPES: dict[str, Any] = {
    "number": "double",
    "whole number": "long",
    "boolean": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
    "time of day": {"type": "long", "logicalType": "time-micros"},
    "list of codes": {"type": "array", "items": "string"},
}
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def schema_of(contract: Contract) -> Schema:
    fields = [_field(contract, name) for name in contract.columns]
    record = {
        "type": "record",
        "name": contract.name,
        "namespace": "lastmile",
        "doc": contract.description,
        _MARK: contract.name,
        "fields": fields,
    }
    return Schema("AVRO", orjson.dumps(record).decode())


def is_of_contract(schema: Schema) -> bool:
    found = document(schema)
    return isinstance(found, dict) and _MARK in found


def _field(contract: Contract, name: str) -> dict[str, Any]:
    spec = contract.columns[name]
    kind, doc = _type(contract, name), " ".join(filter(None, (spec.description, _unit(contract, name))))
    aliases = [alias for alias in contract.metadata(name)["aliases"] if _NAME.fullmatch(alias) and alias != name]
    known = {"name": name, "doc": doc, **({"aliases": aliases} if aliases else {})}
    if spec.nullable or not spec.required:
        return {**known, "type": ["null", kind], "default": None}
    return {**known, "type": kind}


def _type(contract: Contract, name: str) -> Any:
    kind, dtype = contract.kinds[name], contract.columns[name].dtype.type
    if isinstance(dtype, pl.Decimal):
        return {"type": "bytes", "logicalType": "decimal", "precision": dtype.precision or 38, "scale": dtype.scale}
    return _TYPES.get(kind.name, "string")


def _unit(contract: Contract, name: str) -> str:
    unit = contract.metadata(name)["unit"]
    return f"In {unit}." if unit else ""
