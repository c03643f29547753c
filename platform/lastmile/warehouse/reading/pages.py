"""Pages by key: each begins after the last row of the one before, so it costs the same however far back it is.

The order that is requested is completed by what distinguishes rows: a unique key, else the place of the row in its
table, which stays as long as the row is not changed. Where none is requested, rows of a table without a unique key come
in the order of their places, block by block. Only of a view without a key are rows counted off.

Nulls are where Postgres has them, after all values, or first in a descending order. What follows a row is written as
ranges, one after the other, that an index serves each: `a = 1 AND b > 2`, then `a > 1`, then `a IS NULL`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.warehouse.reading.filters import named
from lastmile.warehouse.reading.places import by_place
from lastmile.warehouse.reading.relations import SORTABLE, Relation, Selection
from lastmile.warehouse.reading.rows import json_rows
from lastmile.warehouse.reading.terms import PLACE, Position, Term


def order(relation: Relation, sort: Sequence[str] = ()) -> tuple[Term, ...]:
    """The terms of `sort`, names with `-` in front where descending, and those that complete it.

    Raises UserError where a name is no column, or one of a type without an order.
    """
    wanted = [name.removeprefix("-") for name in sort]
    if len(set(wanted)) < len(wanted):
        raise UserError(f"sort: each column once, found {', '.join(sort)}")
    terms = [_term(relation, name.removeprefix("-"), name.startswith("-")) for name in sort]
    if relation.is_stored and not relation.is_unique and not sort:
        return PLACE
    terms += [_term(relation, name) for name in relation.key if name not in wanted]
    if relation.is_unique:
        return tuple(terms)
    if relation.is_stored:
        return (*terms, *PLACE)
    rest = [name for name, one in relation.columns.items() if one.type in SORTABLE and name not in wanted]
    return (*terms, *(_term(relation, name) for name in rest if name not in relation.key))


def _term(relation: Relation, name: str, descending: bool = False) -> Term:
    column = named(relation, name)
    if column.type not in SORTABLE:
        raise UserError(f"sort: {name} is {column.type}, which has no order")
    return Term(column.value, column.type, descending, column.not_null)


def page(
    connection: Connection, selection: Selection, terms: Sequence[Term], limit: int, after: Position | None
) -> tuple[list[str], Position | None]:
    """Rows as JSON texts, and the position that the next page begins after: None on the last page."""
    if terms == PLACE:
        return by_place(connection, selection, limit, after if isinstance(after, list) else None)
    is_keyed = selection.relation.is_stored or selection.relation.is_unique
    rows: list[tuple[str, ...]] = []
    if is_keyed and isinstance(after, list):
        for following in _ranges(terms, after):
            where = sql.SQL("({}) AND {}").format(selection.where, following)
            rows += json_rows(connection, replace(selection, where=where), terms, limit + 1 - len(rows), 0)
            if len(rows) > limit:
                break
    else:
        rows = json_rows(connection, selection, terms, limit + 1, after if isinstance(after, int) else 0)
    shown = [row[0] for row in rows[:limit]]
    if len(rows) <= limit:
        return shown, None
    return shown, list(rows[limit - 1][1:]) if is_keyed else limit + (after if isinstance(after, int) else 0)


def _ranges(terms: Sequence[Term], after: Sequence[str | None]) -> Iterator[sql.Composable]:
    for at in reversed(range(len(terms))):
        equal = [term.equal(value) for term, value in zip(terms[:at], after, strict=False)]
        for following in terms[at].following(after[at]):
            yield sql.SQL(" AND ").join([*equal, following])
