"""All rows of a table as of the moment from which on its changes are sent; with it the following of a source begins.

The slot is made first: it exports the moment at which its log begins, and the rows are read as of that moment. They are
loaded in one transaction with the position, so that changes follow without a gap and without a repetition. A snapshot
that follows an earlier one (its slot was lost) says in the history what became different in between.
"""

from collections.abc import Iterator
from contextlib import closing

import orjson
import polars as pl
import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from lastmile.errors import UserError
from lastmile.ingestion.batch import BATCH_ROWS, RawBatch
from lastmile.quarantine.messages import GIVEN, quarantine_messages
from lastmile.sources.changes import lsn, positions
from lastmile.sources.changes.apply import Applied, Target
from lastmile.sources.changes.origin import SourceColumn, drop_slot, new_slot
from lastmile.sources.changes.reading import Reader
from lastmile.sources.changes.replication import SETTINGS, command, connected, system
from lastmile.sources.changes.texts import conversions, converted
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.fetching import Report
from lastmile.telemetry.spans import span
from lastmile.warehouse.connections import CLIENT

#: Types of which a cast gives the text that the log has: numbers, texts, dates and times, uuid, json, bytes.
_CAST_ALIKE = {20, 21, 23, 25, 700, 701, 1043, 1082, 1114, 1184, 1700, 2950, 114, 3802, 17}


def take(
    connection: Connection,
    control: Connection,
    url: str,
    source: Changes,
    publication: str,
    reader: Reader,
    report: Report,
) -> Applied:
    """Make a slot and load the rows as of it; in autocommit, killed at any moment it is begun anew."""
    before = positions.of(connection, source.name)
    if before is not None:
        drop_slot(control, before.slot)
    slot = new_slot(source)
    with connected(url) as replication, span("sources.snapshot", source=source.name) as done:
        positions.intend(connection, source.name, slot, publication, system(replication))
        made = command(replication, f'CREATE_REPLICATION_SLOT "{slot}" LOGICAL pgoutput EXPORT_SNAPSHOT')
        position, moment = lsn.number(str(made[1])), str(made[2])
        with connection.transaction():
            loaded = _load(connection, url, source, reader, position, moment, report)
            positions.loaded(connection, source.name, position, reader.target.header, loaded.quarantined)
        done(rows=loaded.changes)
    return loaded


def _load(
    connection: Connection,
    url: str,
    source: Changes,
    reader: Reader,
    position: int,
    moment: str,
    report: Report,
) -> Applied:
    target, tables = reader.target, reader.target.tables
    before = positions.of(connection, source.name)
    number = before.snapshot + 1 if before else 1
    connection.execute("DROP TABLE IF EXISTS pg_temp.images_before")
    connection.execute(
        sql.SQL("CREATE TEMP TABLE images_before ON COMMIT DROP AS SELECT key, image FROM {}").format(tables.images)
    )
    tables.empty(connection)
    # Before the first transaction after it, of which the position may be where this begins.
    as_of, loaded = position - 1, Applied()
    try:
        for frame in _read(url, source, reader.columns, moment):
            _add(connection, target, frame, as_of, number, loaded)
            report.progress(1, loaded.changes, 0)
    except psycopg.errors.UniqueViolation as error:
        raise UserError(
            f"source {source.name}: two rows of {target.origin} have the same key"
            f" ({error.diag.message_detail}): give the contract {target.tables.contract.name} a key that no two share"
        ) from None
    _write_history(connection, tables.history, tables.images, number, as_of)
    return loaded


def _read(url: str, source: Changes, columns: list[SourceColumn], moment: str) -> Iterator[pl.DataFrame]:
    """The rows as texts, in batches. One statement, so that Postgres sends while we write."""
    import adbc_driver_postgresql.dbapi as adbc

    texts = sql.SQL(", ").join(map(_as_sent, columns))
    query = sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier(*source.qualified)).as_string()
    converts = conversions(columns)
    with closing(adbc.connect(make_conninfo(url, **CLIENT, options=SETTINGS))) as there, there.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET TRANSACTION SNAPSHOT '{moment}'")
        cursor.execute(query)
        for batch in cursor.fetch_record_batch():
            whole = pl.DataFrame(pl.from_arrow(batch))
            for first in range(0, whole.height, BATCH_ROWS):
                some = whole[first : first + BATCH_ROWS]
                yield some.with_columns(
                    pl.Series(name, [converted(value, convert) for value in some[name]], pl.String)
                    for name, convert in zip(some.columns, converts, strict=True)
                    if convert is not None
                )


def _as_sent(column: SourceColumn) -> sql.Composed:
    """The text that the log has: a cast gives another one of an address or a boolean, `format` the same."""
    text = "{0}::text" if column.type in _CAST_ALIKE else "CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END"
    return sql.SQL(text + " AS {0}").format(sql.Identifier(column.name))


def _add(
    connection: Connection, target: Target, frame: pl.DataFrame, as_of: int, snapshot: int, loaded: Applied
) -> None:
    keys = [orjson.dumps(list(row)).decode() for row in frame.select(target.key).iter_rows()]
    first = loaded.changes
    lines = pl.Series("line", range(first, first + frame.height), pl.UInt64)

    def raw(places: list[int]) -> list[str]:
        return [orjson.dumps(frame.row(place, named=True)).decode() for place in places]

    found = target.plan.validate(RawBatch(frame, lines, raw, nul_free=True))  # type: ignore[arg-type]
    keyed = pl.DataFrame({"_line": lines, "_key": keys})
    with target.tables.copy_images(connection) as copy:
        image = pl.struct(pl.all()).struct.json_encode()
        copy.write(frame.select(key=pl.Series(keys), lsn=pl.lit(as_of, pl.Int64), image=image))
    with target.tables.copy_rows(connection) as copy:
        rows = found.valid.join(keyed, on="_line").with_columns(
            _lsn=pl.lit(as_of, pl.Int64), _committed_at=pl.lit(None, pl.Datetime("us", "UTC"))
        )
        copy.write(rows)
    loaded.changes += frame.height
    loaded.quarantined += found.bad.height
    if found.bad.height:
        quarantine_messages(
            connection, target.tables.name, target.origin, _quarantined(found.bad, keyed, as_of, snapshot)
        )


def _quarantined(bad: pl.DataFrame, keyed: pl.DataFrame, as_of: int, snapshot: int) -> pl.DataFrame:
    placed = bad.join(keyed, left_on="line", right_on="_line")
    rule = pl.col("reasons").str.json_path_match("$[0].rule")
    return placed.select(
        partition=pl.lit(snapshot, pl.Int32),
        offset=pl.lit(as_of, pl.Int64),
        index=pl.col("line").cast(pl.Int32),
        rule=rule,
        reasons="reasons",
        lateness=pl.lit(None, pl.Duration("us")),
        key=pl.col("_key").cast(pl.Binary),
        raw=pl.col("raw").cast(pl.Binary),
    ).select(list(GIVEN))


def _write_history(
    connection: Connection, history: sql.Identifier, images: sql.Identifier, snapshot: int, as_of: int
) -> None:
    """What is new or different since the rows of before, and what is gone."""
    connection.execute(
        sql.SQL(
            """
            INSERT INTO {history} (snapshot, lsn, number, committed_at, op, key, before, after)
            SELECT {snapshot}, {as_of}, row_number() OVER (), clock_timestamp(),
                CASE WHEN now.key IS NULL THEN 'd' ELSE 'r' END, coalesce(now.key, before.key), before.image, now.image
            FROM {images} now FULL JOIN images_before before USING (key)
            WHERE now.image IS DISTINCT FROM before.image
            """
        ).format(history=history, images=images, snapshot=snapshot, as_of=lsn.text(as_of))
    )
