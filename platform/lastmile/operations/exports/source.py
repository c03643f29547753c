"""What an export reads: the columns it may, and the data version of each window.

The data version is made of the rows themselves, so it changes with every row that is added, changed or removed, however
late, and with nothing else; neither a column of change times nor an order of arrival is needed. It costs one pass over
the relation.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.operations.exports.declaration import Export
from lastmile.warehouse.reading import Column, Relation, Selection, find
from lastmile.warehouse.reading.relations import MOMENTS

#: The only window of an export without windows.
WHOLE = "all"
#: Of a window whose column is null.
UNKNOWN = "unknown"
_NEVER = ("_rescued",)


class Version(NamedTuple):
    """What the rows of a window are, and how many."""

    digest: str
    rows: int


@dataclass(frozen=True)
class Source:
    """A relation with the columns that are exported, in a transaction that sees one moment."""

    export: Export
    relation: Relation

    @property
    def shape(self) -> list[tuple[str, str]]:
        """Names and types of the columns."""
        return [(one.name, one.type) for one in self.relation.columns.values()]

    @property
    def window(self) -> sql.Composable:
        """The window of a row, as text."""
        if self.export.window is None:
            return sql.Literal(WHOLE)
        column: sql.Composable = sql.Identifier(self.export.window)
        if self.export.by:
            length = {"year": 4, "month": 7, "day": 10}[self.export.by]
            column = sql.SQL("left({}::date::text, {})").format(column, sql.Literal(length))
        return sql.SQL("coalesce({}::text, {})").format(column, sql.Literal(UNKNOWN))

    def selection(self, window: str) -> Selection:
        columns = {name: column.value for name, column in self.relation.columns.items()}
        where = sql.SQL("{} = {}").format(self.window, sql.Literal(window))
        return Selection(self.relation, columns, where)

    @property
    def order(self) -> sql.Composable:
        """The same rows are always in the same order, so they make the same file."""
        places = [sql.SQL(str(place)) for place in range(1, len(self.relation.columns) + 1)]
        return sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(places))

    def versions(self, connection: Connection) -> dict[str, Version]:
        """The data version of each window that has rows."""
        columns = sql.SQL(", ").join(map(sql.Identifier, self.relation.columns))
        query = sql.SQL(
            "SELECT {} AS w, count(*), sum(hashtextextended(line, 0)::numeric), sum(hashtextextended(line, 1)::numeric)"
            " FROM (SELECT *, ROW({})::text AS line FROM {}) AS t GROUP BY 1 ORDER BY 1"
        ).format(self.window, columns, self.relation.source)
        shape = repr((self.shape, self.export.format, self.export.window, self.export.by))
        return {
            window: Version(hashlib.sha256(repr((shape, *numbers)).encode()).hexdigest()[:32], numbers[0])
            for window, *numbers in connection.execute(query).fetchall()
        }


def source_of(connection: Connection, export: Export, personal: Collection[str]) -> Source:
    """Raises UserError where the relation or a column is not there, or is personal and not named as such."""
    schema, _, name = export.source.partition(".")
    found = find(connection, schema, name)
    if found is None:
        raise UserError(f"export {export.name}: there is no {export.source} yet; it is exported once it was made")
    wanted = export.columns or [
        one for one in found.columns if (one not in personal or one in export.personal) and one not in _NEVER
    ]
    if lacking := [one for one in (*wanted, *export.personal) if one not in found.columns]:
        raise UserError(f"export {export.name}: {export.source} has no column {', '.join(lacking)}")
    if hidden := [one for one in wanted if one in personal and one not in export.personal]:
        raise UserError(
            f"export {export.name}: {', '.join(hidden)} is personal; name it in `personal` as well if it is to go out"
        )
    if export.window and export.window not in wanted:
        raise UserError(f"export {export.name}: its window {export.window} is not among the columns that are exported")
    if export.by and found.columns[export.window or ""].type not in MOMENTS:
        raise UserError(f"export {export.name}: `by` is for dates and timestamps, which {export.window} is not")
    return Source(export, replace(found, columns=_only(found, wanted)))


def _only(found: Relation, wanted: Collection[str]) -> Mapping[str, Column]:
    return {name: found.columns[name] for name in wanted}
