"""Pages by key: each begins after the last row of the one before, so it costs the same however far back it is.

The order that is requested is completed by what tells rows apart: a unique key, else the place of the row in its table,
which stays as long as the row is not changed. Only of a view without a key are rows counted off.

Nulls are where Postgres has them, after all values, or first in a descending order. What follows a row is written as
ranges, one after the other, that an index serves each: `a = 1 AND b > 2`, then `a > 1`, then `a IS NULL`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.warehouse.reading.filters import literal, named
from lastmile.warehouse.reading.relations import SORTABLE, Relation, Selection

#: Values of the last row as text, by the terms of the order; or the number of rows that were shown.
Position = list[str | None] | int


@dataclass(frozen=True)
class Term:
    """One part of an order."""

    sql: sql.Composable
    type: str
    descending: bool = False
    not_null: bool = False

    def equal(self, value: str | None) -> sql.Composable:
        return self._compared("=", value) if value is not None else sql.SQL("{} IS NULL").format(self.sql)

    def following(self, value: str | None) -> Iterator[sql.Composable]:
        """The ranges of what comes after the value, in order."""
        if value is None:
            if self.descending:
                yield sql.SQL("{} IS NOT NULL").format(self.sql)
            return
        yield self._compared("<" if self.descending else ">", value)
        if not (self.descending or self.not_null):
            yield sql.SQL("{} IS NULL").format(self.sql)

    def _compared(self, op: str, value: str) -> sql.Composable:
        return sql.SQL("{} {} {}").format(self.sql, sql.SQL(op), literal(value, self.type))


_PLACE = (
    Term(sql.Identifier("tableoid"), "oid", not_null=True),
    Term(sql.Identifier("ctid"), "tid", not_null=True),
)


def order(relation: Relation, sort: Sequence[str] = ()) -> tuple[Term, ...]:
    """The terms of `sort`, names with `-` in front where descending, and those that complete it.

    Raises UserError where a name is no column, or one of a type without an order.
    """
    wanted = [name.removeprefix("-") for name in sort]
    if len(set(wanted)) < len(wanted):
        raise UserError(f"sort: each column once, found {', '.join(sort)}")
    terms = [_term(relation, name.removeprefix("-"), name.startswith("-")) for name in sort]
    if relation.is_stored and not relation.is_unique and not sort and not relation.key:
        return _PLACE
    terms += [_term(relation, name) for name in relation.key if name not in wanted]
    if relation.is_unique:
        return tuple(terms)
    if relation.is_stored:
        return (*terms, *_PLACE)
    rest = [name for name, one in relation.columns.items() if one.type in SORTABLE and name not in wanted]
    return (*terms, *(_term(relation, name) for name in rest if name not in relation.key))


def _term(relation: Relation, name: str, descending: bool = False) -> Term:
    column = named(relation, name)
    if column.type not in SORTABLE:
        raise UserError(f"sort: {name} is {column.type}, which has no order")
    return Term(column.sql, column.type, descending, column.not_null)


def order_by(terms: Sequence[Term]) -> sql.Composable:
    """The clause, empty where there is nothing to sort by."""
    if not terms:
        return sql.SQL("")
    parts = [sql.SQL("{} DESC" if one.descending else "{}").format(one.sql) for one in terms]
    return sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(parts))


def page(
    connection: Connection, selection: Selection, terms: Sequence[Term], limit: int, after: Position | None
) -> tuple[list[str], Position | None]:
    """Rows as JSON texts, and the position that the next page begins after: None on the last page."""
    is_keyed = selection.relation.is_stored or selection.relation.is_unique
    rows: list[tuple[str, ...]] = []
    if is_keyed and isinstance(after, list):
        for following in _ranges(terms, after):
            where = sql.SQL("({}) AND {}").format(selection.where, following)
            rows += _rows(connection, replace(selection, where=where), terms, limit + 1 - len(rows), 0)
            if len(rows) > limit:
                break
    else:
        rows = _rows(connection, selection, terms, limit + 1, after if isinstance(after, int) else 0)
    shown = [row[0] for row in rows[:limit]]
    if len(rows) <= limit:
        return shown, None
    return shown, list(rows[limit - 1][1:]) if is_keyed else limit + (after if isinstance(after, int) else 0)


def _ranges(terms: Sequence[Term], after: Sequence[str | None]) -> Iterator[sql.Composable]:
    for at in reversed(range(len(terms))):
        equal = [term.equal(value) for term, value in zip(terms[:at], after, strict=False)]
        for following in terms[at].following(after[at]):
            yield sql.SQL(" AND ").join([*equal, following])


def _rows(
    connection: Connection, selection: Selection, terms: Sequence[Term], limit: int, offset: int
) -> list[tuple[str, ...]]:
    """The texts are made of the page's rows only."""
    keys = [sql.Identifier(f"?{number}") for number in range(len(terms))]
    kept = sql.SQL(", ").join(
        [sql.SQL("t.*"), *(sql.SQL("{} AS {}").format(one.sql, key) for one, key in zip(terms, keys, strict=True))]
    )
    query = sql.SQL("SELECT {} FROM (SELECT {} FROM {} AS t WHERE {}{} LIMIT {} OFFSET {}) AS found").format(
        sql.SQL(", ").join(
            [
                sql.SQL("(SELECT row_to_json(shown) FROM (SELECT {}) AS shown)::text").format(selection.select),
                *(sql.SQL("{}::text").format(key) for key in keys),
            ]
        ),
        kept,
        selection.relation.source,
        selection.where,
        order_by(terms),
        sql.Literal(limit),
        sql.Literal(offset),
    )
    return connection.execute(query).fetchall()
