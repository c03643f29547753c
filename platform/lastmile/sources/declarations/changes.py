"""The changes of a table of a Postgres, one after another, as they are committed there.

source = Changes(
    name="stock",
    dataset="stock",
    description="Stock of each article, as the shop's database has it.",
    owner="team:sales",
    url=Setting("LASTMILE_SOURCE_SHOP_DATABASE"),
    table="public.stock",
)

The rows as they are now are `changes.stock`, the changes `changes.stock_history`. The contract of the dataset says what
a valid row is, and by its key which row is meant.
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta

from lastmile.operations.schedule import Schedule
from lastmile.sources.declarations.setting import Setting
from lastmile.sources.declarations.source import Misdeclared, Source

OFTEN = Schedule("*/15 * * * *")


@dataclass(frozen=True, kw_only=True)
class Changes(Source):
    """A table whose changes are followed. Its database needs `wal_level = logical`, and the user the right of
    replication; publication and slot are made where there are none."""

    url: Setting
    table: str
    #: A publication that is there already, where the user may make none.
    publication: str | None = None
    #: Whether the rows of the table are only added, so that it needs no replica identity.
    only_inserts: bool = False
    #: Runs, where no process follows it.
    schedule: Schedule | None = OFTEN
    #: Rows change when they change, and as many as do: what counts is the lag.
    stale_after: timedelta | None = None
    usual_factor: float | None = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[^.]+(\.[^.]+)?", self.table):
            raise Misdeclared(
                f"source {self.name}: expected a table such as orders or sales.orders; found {self.table!r}"
            )
        if len(self.name) > 48:
            raise Misdeclared(f"source {self.name}: its tables need a name of at most 48 letters")

    @property
    def qualified(self) -> tuple[str, str]:
        """Schema and table."""
        schema, _, table = self.table.rpartition(".")
        return schema or "public", table
