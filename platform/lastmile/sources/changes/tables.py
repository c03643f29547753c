"""The three tables of a source of changes, as its contract says."""

from collections.abc import Mapping, Sequence

import orjson
import polars as pl
from psycopg import Connection, sql

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.sources.changes import lsn
from lastmile.warehouse.binary_copy import BinaryCopy
from lastmile.warehouse.lookup import column_types
from lastmile.warehouse.tables import descriptions

SCHEMA = "changes"
_MOMENT, _TIMESTAMP = pl.Datetime("us", "UTC"), "timestamp with time zone"
#: Of each row as it is now, in addition to the contract's columns. A position is copied as the number that it is.
OF_ROW: Mapping[str, tuple[pl.DataType, str, str]] = {
    "_key": (pl.String(), "text PRIMARY KEY", "The row's key as the database writes it, a JSON list."),
    "_rescued": (pl.String(), "jsonb", "Values of columns that the contract does not know."),
    "_lsn": (pl.Int64(), "pg_lsn NOT NULL", "Where the transaction that made the row what it is stands in the log."),
    "_committed_at": (_MOMENT, _TIMESTAMP, "When that transaction committed at the source."),
}
HISTORY: Mapping[str, tuple[pl.DataType, str, str]] = {
    "snapshot": (pl.Int32(), "integer NOT NULL", "The snapshot from which on the change was followed."),
    "lsn": (pl.Int64(), "pg_lsn NOT NULL", "Where the commit of its transaction stands in the database's log."),
    "number": (pl.Int64(), "bigint NOT NULL", "Which of the transaction's changes."),
    "xid": (pl.Int64(), "bigint", "The transaction's number at the source."),
    "committed_at": (
        _MOMENT,
        "timestamp with time zone",
        "When the transaction committed; of a snapshot, when it was made.",
    ),
    "op": (
        pl.String(),
        "text NOT NULL CHECK (op IN ('c', 'u', 'd', 'r', 't'))",
        "c created, u updated, d deleted; r as read in a snapshot; t all rows deleted at once.",
    ),
    "key": (pl.String(), "text", "The row's key after the change, a JSON list; null for all rows."),
    "before": (pl.String(), "jsonb", "The row before, as the database wrote it."),
    "after": (pl.String(), "jsonb", "The row after."),
}
IMAGES: Mapping[str, tuple[pl.DataType, str, str]] = {
    "key": (pl.String(), "text PRIMARY KEY", "The row's key, a JSON list."),
    "lsn": (pl.Int64(), "pg_lsn NOT NULL", "Of the last change of the row."),
    "image": (pl.String(), "jsonb", "The row as the database wrote it, valid or not; null once it is deleted."),
}


#: Texts that are sent as one of JSON: psycopg takes ten times as long for an array.
KEYS = sql.SQL("ARRAY(SELECT jsonb_array_elements_text(%s::jsonb))")


class Tables:
    """Of one source. `contract` is the one with the columns that the table gained."""

    def __init__(self, name: str, contract: Contract) -> None:
        self.name, self.contract = name, contract
        self.rows = sql.Identifier("changes", name)
        self.history = sql.Identifier("changes", f"{name}_history")
        self.images = sql.Identifier("changes", f"{name}_images")

    def ensure(self, connection: Connection) -> None:
        """Make what is not there; extend what is. Raises UserError where a column has another type than declared."""
        declared = {name: kind.postgres for name, kind in self.contract.kinds.items() if name in self.contract.columns}
        existing = column_types(connection, SCHEMA, self.name)
        if not existing:
            self._create(connection, declared)
            return
        for name, kind in declared.items():
            if name not in existing:
                added = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                    self.rows, sql.Identifier(name), sql.SQL(kind)
                )
                connection.execute(added)
            elif existing[name].partition("(")[0] != kind.partition("(")[0]:
                raise UserError(
                    f"column {name} of {SCHEMA}.{self.name} is {existing[name]}, and its contract now says {kind}: drop"
                    f" the table, then load all rows anew with `lastmile source run {self.name} --snapshot`"
                )

    def _create(self, connection: Connection, declared: dict[str, str]) -> None:
        own = {name: postgres for name, (_, postgres, _) in OF_ROW.items()}
        connection.execute(_table(self.rows, declared | own))
        names = sql.SQL(", ").join(map(sql.Identifier, self.contract.key))
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(self.rows, names))
        history = {name: postgres for name, (_, postgres, _) in HISTORY.items()}
        connection.execute(_table(self.history, history, ", PRIMARY KEY (snapshot, lsn, number)"))
        connection.execute(_table(self.images, {name: postgres for name, (_, postgres, _) in IMAGES.items()}))
        self._comment(connection)

    def _comment(self, connection: Connection) -> None:
        about = (
            (self.rows, OF_ROW, f"{self.contract.description} As they are now at the source."),
            (self.history, HISTORY, f"Each change of the rows of {SCHEMA}.{self.name}."),
            (self.images, IMAGES, f"The rows of {SCHEMA}.{self.name} as their database wrote them, valid or not."),
        )
        for table, columns, words in about:
            connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, words))
            for name, (_, _, meaning) in columns.items():
                column = sql.SQL("{}.{}").format(table, sql.Identifier(name))
                connection.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(column, meaning))
        for name, meaning in descriptions(self.contract).items():
            column = sql.SQL("{}.{}").format(self.rows, sql.Identifier(name))
            connection.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(column, meaning))

    def copy_rows(self, connection: Connection) -> BinaryCopy:
        types = self.contract.types() | {name: dtype for name, (dtype, _, _) in OF_ROW.items()}
        json = [name for name, kind in self.contract.kinds.items() if kind.postgres == "jsonb"]
        return BinaryCopy(connection, self.rows, types, jsonb=[*json, "_rescued"])

    def copy_history(self, connection: Connection) -> BinaryCopy:
        types = {name: dtype for name, (dtype, _, _) in HISTORY.items()}
        return BinaryCopy(connection, self.history, types, jsonb=["before", "after"])

    def copy_images(self, connection: Connection) -> BinaryCopy:
        types = {name: dtype for name, (dtype, _, _) in IMAGES.items()}
        return BinaryCopy(connection, self.images, types, jsonb=["image"])

    def delete(self, connection: Connection, keys: Sequence[str]) -> None:
        """The rows and images of these keys."""
        wanted = as_list(keys)
        for table, column in ((self.rows, "_key"), (self.images, "key")):
            statement = sql.SQL("DELETE FROM {} WHERE {} = ANY({})").format(table, sql.Identifier(column), KEYS)
            connection.execute(statement, [wanted])

    def images_of(self, connection: Connection, keys: Sequence[str]) -> list[tuple[str, dict[str, str | None], int]]:
        """Key, image and position of each of these that is there."""
        query = sql.SQL("SELECT key, image, (lsn - '0/0')::bigint FROM {} WHERE key = ANY({})")
        return connection.execute(query.format(self.images, KEYS), [as_list(keys)]).fetchall()

    def empty(self, connection: Connection, before: int | None = None) -> None:
        """All rows and images, or those whose last change was before a position; by deleting, so that readers go on
        seeing them until the commit. A position that is kept says what a row had seen when it went."""
        if before is None:
            for table in (self.rows, self.images):
                connection.execute(sql.SQL("DELETE FROM {}").format(table))
            return
        position = sql.Literal(lsn.text(before))
        connection.execute(sql.SQL("DELETE FROM {} WHERE _lsn < {}").format(self.rows, position))
        connection.execute(
            sql.SQL("UPDATE {} SET image = NULL, lsn = {} WHERE lsn < {}").format(self.images, position, position)
        )

    def is_truncated(self, connection: Connection, position: int) -> bool:
        """Whether that, or a later one, is in the history."""
        query = sql.SQL("SELECT 1 FROM {} WHERE op = 't' AND lsn >= {} LIMIT 1")
        found = connection.execute(query.format(self.history, sql.Literal(lsn.text(position)))).fetchone()
        return found is not None


def as_list(keys: Sequence[str]) -> str:
    """For KEYS."""
    return orjson.dumps(list(keys)).decode()


def history_frame(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    """Rows of the history, in the order of its columns."""
    return pl.DataFrame(rows, schema={name: dtype for name, (dtype, _, _) in HISTORY.items()}, orient="row")


def image_frame(rows: Sequence[tuple[str, int, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: dtype for name, (dtype, _, _) in IMAGES.items()}, orient="row")


def _table(table: sql.Identifier, columns: Mapping[str, str], more: str = "") -> sql.Composed:
    defined = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
    )
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}{})").format(table, defined, sql.SQL(more))
