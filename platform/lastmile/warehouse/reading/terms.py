"""The terms of an order: what is compared, and what comes after a value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from lastmile.warehouse.reading.filters import literal

#: Values of the last row as text, by the terms of the order; or the number of rows that were shown.
Position = list[str | None] | int


@dataclass(frozen=True)
class Term:
    """One part of an order."""

    value: sql.Composable
    type: str
    descending: bool = False
    not_null: bool = False

    def equal(self, value: str | None) -> sql.Composable:
        return self._compared("=", value) if value is not None else sql.SQL("{} IS NULL").format(self.value)

    def following(self, value: str | None) -> Iterator[sql.Composable]:
        """The ranges of what comes after the value, in order."""
        if value is None:
            if self.descending:
                yield sql.SQL("{} IS NOT NULL").format(self.value)
            return
        yield self._compared("<" if self.descending else ">", value)
        if not (self.descending or self.not_null):
            yield sql.SQL("{} IS NULL").format(self.value)

    def _compared(self, op: str, value: str) -> sql.Composable:
        return sql.SQL("{} {} {}").format(self.value, sql.SQL(op), literal(value, self.type))


PLACE = (
    Term(sql.Identifier("tableoid"), "oid", not_null=True),
    Term(sql.Identifier("ctid"), "tid", not_null=True),
)


def order_by(terms: Sequence[Term]) -> sql.Composable:
    """The clause, empty where there is nothing to sort by."""
    if not terms:
        return sql.SQL("")
    parts = [sql.SQL("{} DESC" if one.descending else "{}").format(one.value) for one in terms]
    return sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(parts))
