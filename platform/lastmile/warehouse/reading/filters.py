"""Conditions as a person writes them, `column.op.value`, in the types of their columns.

    country.eq.KE   persons.ge.3   level.in.On Track,At Risk   hhid.like.KE_   income.is.null

`like` finds what begins with the value. `in` separates by commas; a value that has one stands in double quotes.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from psycopg import sql

from lastmile.errors import UserError
from lastmile.warehouse.reading.relations import TEXTS, Column, Relation

_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_WRITTEN = re.compile(rf"(.+?)\.({'|'.join([*_COMPARISONS, 'in', 'like', 'is'])})\.(.*)", re.DOTALL)


@dataclass(frozen=True)
class Filter:
    column: Column
    op: str
    values: Sequence[str]

    @property
    def clause(self) -> sql.Composable:
        if self.op == "is":
            return sql.SQL("{} IS NULL" if self.values[0] == "null" else "{} IS NOT NULL").format(self.column.value)
        literals = [literal(value, self.column.type) for value in self.values]
        if self.op == "in":
            return sql.SQL("{} IN ({})").format(self.column.value, sql.SQL(", ").join(literals))
        if self.op == "like":
            return sql.SQL("starts_with({}, {})").format(self.column.value, literals[0])
        return sql.SQL("{} {} {}").format(self.column.value, sql.SQL(_COMPARISONS[self.op]), literals[0])


def parse(written: Iterable[str], relation: Relation) -> list[Filter]:
    """Raises UserError where one is not of this form, names no column, or its value is none of the column's type."""
    return [_parsed(one, relation) for one in written]


def condition(filters: Sequence[Filter]) -> sql.Composable:
    """All of them."""
    return sql.SQL(" AND ").join([one.clause for one in filters]) if filters else sql.SQL("TRUE")


def named(relation: Relation, name: str) -> Column:
    """Raises UserError where there is no such column."""
    if name not in relation.columns:
        raise UserError(f"{relation.name} has no column {name!r}; it has {', '.join(relation.columns)}")
    return relation.columns[name]


def literal(value: str, kind: str) -> sql.Composable:
    return sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(kind))


def _parsed(written: str, relation: Relation) -> Filter:
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise UserError(
            f"where: expected column.op.value, op one of {', '.join(_COMPARISONS)}, in, like, is; not {written!r:.200}"
        )
    name, op, value = match.groups()
    column = named(relation, name)
    if op == "is":
        if value not in ("null", "notnull"):
            raise UserError(f"where: {name}.is. expects null or notnull, found {value!r:.200}")
        return Filter(column, op, [value])
    if op == "like" and column.type not in TEXTS:
        raise UserError(f"where: like compares text, and {name} is {column.type}; use eq, lt, ge or in")
    values = next(csv.reader([value], strict=False), [""]) if op == "in" else [value]
    for one in values:
        _check(one, column)
    return Filter(column, op, values)


def _check(value: str, column: Column) -> None:
    try:
        if column.type not in TEXTS:
            _READ[column.type](value)
    except KeyError:
        raise UserError(
            f"where: {column.name} is {column.type}: only is.null and is.notnull can be requested"
        ) from None
    except (ValueError, InvalidOperation, OverflowError):
        raise UserError(f"where: {column.name} is {column.type}, which {value!r:.200} is not") from None


def _whole(bits: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,20}", value) else 2**bits
        if not -(2**bits) <= number < 2**bits:
            raise ValueError(value)
        return number

    return read


def _decimal(value: str) -> Decimal:
    """As many digits as anybody needs: an exponent of millions would fill memory."""
    number = Decimal(value)
    if number.is_finite() and abs(number.adjusted()) > 1_000:
        raise ValueError(value)
    return number


def _float(value: str) -> float:
    """As Postgres reads it: no underscores, and nothing that is not among its numbers."""
    number = float(value)
    if "_" in value or (number in (float("inf"), float("-inf")) and "inf" not in value.lower()):
        raise ValueError(value)
    if number == 0 and re.search(r"[1-9]", value.lower().partition("e")[0]):
        raise ValueError(value)
    return number


def _position(value: str) -> str:
    """In the log of a Postgres."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", value):
        raise ValueError(value)
    return value


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError(value)
    return value.lower() == "true"


_READ: dict[str, Callable[[str], Any]] = {
    "smallint": _whole(15),
    "integer": _whole(31),
    "bigint": _whole(63),
    "double precision": _float,
    "real": _float,
    "numeric": _decimal,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "timestamp without time zone": datetime.fromisoformat,
    "timestamp with time zone": datetime.fromisoformat,
    "uuid": UUID,
    "pg_lsn": _position,
}
