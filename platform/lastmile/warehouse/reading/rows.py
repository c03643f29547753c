"""Rows of a page, as JSON that Postgres writes, with the values that the next page begins after."""

from collections.abc import Sequence

from psycopg import Connection, sql

from lastmile.warehouse.reading.relations import Selection
from lastmile.warehouse.reading.terms import Term, order_by


def json_rows(
    connection: Connection, selection: Selection, terms: Sequence[Term], limit: int, offset: int
) -> list[tuple[str, ...]]:
    """The texts are made of the page's rows only."""
    keys = [sql.Identifier(f"?{number}") for number in range(len(terms))]
    kept = sql.SQL(", ").join(
        [sql.SQL("t.*"), *(sql.SQL("{} AS {}").format(one.value, key) for one, key in zip(terms, keys, strict=True))]
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
