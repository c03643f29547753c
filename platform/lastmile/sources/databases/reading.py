"""What a kind of database does for a read: its columns, its rows in batches, all as of one moment."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from lastmile.errors import UserError
from lastmile.sources.databases.addresses import driver_of


@dataclass(frozen=True)
class Column:
    """A column of a result: its type as the database calls it, and the expression of SQL by which it is read."""

    name: str
    type: str
    expression: str
    is_number: bool = False


class Reading(Protocol):
    """One transaction that only reads. Raises UserError with the database's own words, without those of its address."""

    #: Whether all statements see one moment.
    is_at_one_moment: bool

    def columns(self, query: str) -> list[Column]:
        """Of what a query gives."""
        ...

    def values(self, query: str) -> tuple[object, ...]:
        """The only row of a query."""
        ...

    def batches(self, query: str) -> Iterator[pa.RecordBatch]:
        """The rows of a query, in memory that does not grow with their number."""
        ...

    def name(self, *parts: str) -> str:
        """A name in quotes."""
        ...

    def literal(self, value: str, column: Column) -> str:
        """A value to compare a column with."""
        ...


def reading(url: str) -> AbstractContextManager[Reading]:
    """By what reads databases of its kind.

    Raises UserError where there is no driver, Unreachable where none answers.
    """
    driver = driver_of(url)
    if driver == "postgresql":
        from lastmile.sources.databases.postgres import reading_postgres

        return reading_postgres(url)
    if driver == "mysql":
        from lastmile.sources.databases.mysql import reading_mysql

        return reading_mysql(url)
    from lastmile.sources.databases.adbc import reading_adbc

    return reading_adbc(driver, url)


def refused(error: Exception, url: str) -> UserError:
    from lastmile.sources.databases.addresses import without_secrets

    words = " ".join(str(error).split())
    return UserError(f"the source's database refuses what is read: {without_secrets(url, words)}")
