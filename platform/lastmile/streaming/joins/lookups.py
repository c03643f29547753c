"""The tables that a stream's events are looked up in: read whole, again when they are due, each version recorded."""

import hashlib
import logging
import time

import polars as pl
from psycopg import Connection, errors, sql

from lastmile.errors import UserError
from lastmile.streaming.declarations.joins import AsOf
from lastmile.streaming.declarations.stream import Stream

log = logging.getLogger(__name__)

_SEEN = """
WITH newest AS (
    SELECT version, digest FROM streams.lookups WHERE stream = %(stream)s AND lookup = %(lookup)s
    ORDER BY version DESC LIMIT 1
)
INSERT INTO streams.lookups (stream, lookup, version, relation, rows, digest)
SELECT %(stream)s, %(lookup)s,
    coalesce((SELECT version + (digest <> %(digest)s)::int FROM newest), 1), %(relation)s, %(rows)s, %(digest)s
ON CONFLICT (stream, lookup, version) DO UPDATE SET seen_at = clock_timestamp()
"""


class Lookups:
    """The tables of one stream, as this process last read them."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream.name
        self._steps = [step for step in stream.steps if isinstance(step, AsOf)]
        self._due = dict.fromkeys((step.name for step in self._steps), 0.0)
        #: By name of the lookup.
        self.tables: dict[str, pl.DataFrame] = {}

    @property
    def are_due(self) -> bool:
        now = time.monotonic()
        return any(now >= due for due in self._due.values())

    def refresh(self, connection: Connection) -> None:
        """Read the tables that are due. Raises UserError for one that cannot be read, and never was."""
        for step in self._steps:
            if time.monotonic() < self._due[step.name]:
                continue
            try:
                with connection.transaction():
                    self.tables[step.name] = table = read(connection, step)
                    self._record(connection, step, table)
            except UserError as error:
                if step.name not in self.tables:
                    raise
                log.warning("stream %s goes on with what it read before: %s", self._stream, error)
            self._due[step.name] = time.monotonic() + step.refresh.total_seconds()

    def _record(self, connection: Connection, step: AsOf, table: pl.DataFrame) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"lookup {self._stream}.{step.name}"])
        values = {
            "stream": self._stream,
            "lookup": step.name,
            "relation": step.relation,
            "rows": table.height,
            "digest": digest(table),
        }
        connection.execute(_SEEN, values)


def read(connection: Connection, step: AsOf) -> pl.DataFrame:
    """The table, in one order for the same rows. Raises UserError where it is not there, or has rows that no key and
    time tell apart."""
    relation = sql.Identifier(*step.relation.split(".", 1))
    columns = sql.SQL(", ").join(map(sql.Identifier, step.read))
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(columns, relation))
            rows = cursor.fetchall()
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        raise UserError(
            f"lookup {step.name}: {str(error).splitlines()[0]}: expected {step.relation} with the columns"
            f" {', '.join(step.read)}; make it, such as by `lastmile dbt build`"
        ) from None
    types = {name: dtype for name, dtype in step.columns.items() if name in step.read}
    try:
        table = pl.DataFrame(rows, schema=step.read, orient="row", infer_schema_length=None)
        table = table.with_columns(pl.col(name).cast(dtype) for name, dtype in types.items())
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise UserError(f"lookup {step.name}: {step.relation} is not of the types declared: {error}") from None
    _expect_one_row(step, table)
    return table.sort(step.read, nulls_last=True)


def digest(table: pl.DataFrame) -> str:
    """The same for the same rows."""
    return hashlib.sha256(table.write_csv().encode()).hexdigest()[:32]


def _expect_one_row(step: AsOf, table: pl.DataFrame) -> None:
    key = [*step.by.values(), *([step.valid_from] if step.valid_from else [])]
    keyed = table.drop_nulls(key)
    if keyed.select(key).is_duplicated().any():
        row = keyed.filter(keyed.select(key).is_duplicated()).select(key).row(0, named=True)
        raise UserError(
            f"lookup {step.name}: {step.relation} has several rows for {row}; expected one for each key"
            + ("" if step.valid_from else ": give valid_from, the column from which on a row is valid")
        )
