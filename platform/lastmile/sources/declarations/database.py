"""A table or a query of a database: Postgres, MySQL or MariaDB, or any for which an ADBC driver is installed.

source = Table(
    name="shop_orders",
    dataset="orders",
    description="Orders of the shop's database.",
    owner="team:sales",
    url=Setting("LASTMILE_SOURCE_SHOP_DATABASE"),
    table="public.orders",
    incremental=CursorColumn("updated_at", overlap=timedelta(minutes=10)),
)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lastmile.sources.declarations.setting import Setting
from lastmile.sources.declarations.source import Misdeclared, Source


@dataclass(frozen=True)
class CursorColumn:
    """Rows from the largest value of a column on that was loaded. Rows that come again are not landed twice.

    The column must grow: a number from a sequence, a time of the last change. Rows without a value come each time.
    """

    column: str
    #: What the first fetch begins with; None: everything.
    start: str | None = None
    #: So much before the cursor is fetched again, for rows whose transactions commit late.
    overlap: timedelta | int | None = None


@dataclass(frozen=True, kw_only=True)
class Database(Source):
    """Rows of a database, seen at one moment, each a row of the dataset."""

    #: `postgresql://`, `mysql://`, or the name of an ADBC driver and what its `connect` expects, as `sqlite:/a/file`.
    url: Setting
    incremental: CursorColumn | None = None
    #: Whether the rows are counted in the database too, and a fetch with fewer fails.
    counted: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.incremental and not self.incremental.column:
            raise Misdeclared(f"source {self.name}: expected the name of a column as its cursor; found none")
        if self.url.default and "@" in self.url.default:
            raise Misdeclared(f"source {self.name}: the default of its address has a user in it; leave it out")

    @property
    def is_incremental(self) -> bool:
        return self.incremental is not None


@dataclass(frozen=True, kw_only=True)
class Table(Database):
    """A table or view, all its columns or some."""

    #: With its schema or database where it is not in the usual one, as `sales.orders`.
    table: str
    columns: Sequence[str] = ()
    #: A condition in the database's own SQL, as `region = 'north'`.
    where: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[^.\s][^.]*(\.[^.]+)?", self.table):
            raise Misdeclared(
                f"source {self.name}: expected a table such as orders or sales.orders; found {self.table!r}"
            )
        column = self.incremental.column if self.incremental else None
        if self.columns and column and column not in self.columns:
            raise Misdeclared(f"source {self.name}: its cursor {column!r} is none of its columns {list(self.columns)}")


@dataclass(frozen=True, kw_only=True)
class Query(Database):
    """What a SELECT gives, in the database's own SQL. Its columns need names."""

    sql: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.match(r"\s*(select|with|table|values)\b", self.sql, re.IGNORECASE):
            raise Misdeclared(f"source {self.name}: expected SQL that begins with SELECT or WITH")
        if ";" in self.sql.rstrip().rstrip(";"):
            raise Misdeclared(f"source {self.name}: expected one SELECT; found a semicolon inside")
