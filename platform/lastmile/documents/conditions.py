"""Conditions on documents, `path.to.field.op.value`: `crop.name.eq.maize`, `area.ge.2.5`, `photo.is.null`.

A value is JSON where it can be, else text; `"5"` in quotes is the text. `eq` is written as containment, which the index
on the content serves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg import sql
from psycopg.types.json import Jsonb

from lastmile.errors import UserError

_COMPARISONS = {"ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OPS = ("eq", *_COMPARISONS, "in", "like", "is")
_WRITTEN = re.compile(rf"(.+?)\.({'|'.join(_OPS)})\.(.*)", re.DOTALL)
_DEEPEST = 16


@dataclass(frozen=True)
class Condition:
    path: tuple[str, ...]
    op: str
    value: Any

    @property
    def clause(self) -> sql.Composable:
        path, field = sql.Literal(list(self.path)), sql.SQL("body #> {}").format(sql.Literal(list(self.path)))
        if self.op == "is":
            missing = sql.SQL("coalesce({}, 'null'::jsonb) = 'null'::jsonb").format(field)
            return missing if self.value == "null" else sql.SQL("NOT {}").format(missing)
        if self.op == "like":
            return sql.SQL("(jsonb_typeof({}) = 'string' AND starts_with(body #>> {}, {}))").format(
                field, path, sql.Literal(self.value)
            )
        if self.op == "eq":
            return self._contains(self.value)
        if self.op == "in":
            return sql.SQL("({})").format(sql.SQL(" OR ").join(map(self._contains, self.value)))
        same_type = sql.SQL("jsonb_typeof({}) = {}").format(field, sql.Literal(_kind(self.value)))
        compared = sql.SQL("{} {} {}").format(field, sql.SQL(_COMPARISONS[self.op]), sql.Literal(Jsonb(self.value)))
        if self.op == "ne":
            return sql.SQL("({} IS NOT NULL AND {})").format(field, compared)
        return sql.SQL("({} AND {})").format(same_type, compared)

    def _contains(self, value: Any) -> sql.Composable:
        """By the index first; a list or an object that only contains it is not equal to it."""
        nested = value
        for name in reversed(self.path):
            nested = {name: nested}
        contains = sql.SQL("body @> {}").format(sql.Literal(Jsonb(nested)))
        field = sql.SQL("body #> {} = {}").format(sql.Literal(list(self.path)), sql.Literal(Jsonb(value)))
        return sql.SQL("({} AND {})").format(contains, field)


def parse(written: str) -> Condition:
    """Raises UserError where it is not of the form."""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise UserError(f"where: expected path.op.value with op one of {', '.join(_OPS)}; found {written!r:.200}")
    path, op, text = tuple(match[1].split(".")), match[2], match[3]
    if len(path) > _DEEPEST or not all(path):
        raise UserError(f"where: expected 1 to {_DEEPEST} names with dots between, found {match[1]!r:.200}")
    if op == "is":
        if text not in ("null", "notnull"):
            raise UserError(f"where: {match[1]}.is. expects null or notnull, found {text!r:.200}")
        return Condition(path, op, text)
    if op == "like":
        return Condition(path, op, text)
    if op == "in":
        return Condition(path, op, [_value(one) for one in text.split(",")])
    value = _value(text)
    if op not in ("eq", "ne") and _kind(value) not in ("number", "string"):
        raise UserError(f"where: {op} compares numbers or texts, found {text!r:.200}")
    return Condition(path, op, value)


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Mapping):
        return "object"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "null"
