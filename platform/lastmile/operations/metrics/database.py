"""How Postgres does: connections, locks, what is written and read, and how large it has become."""

from collections.abc import Iterator

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.metrics.family import counter, gauge

_CONNECTIONS = """
SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
"""
_ALL_CONNECTIONS = """
SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
_WAITS = """
SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'),
    coalesce(extract(epoch FROM now() - min(xact_start) FILTER (WHERE state <> 'idle')), 0)
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_WORK = """
SELECT xact_commit, xact_rollback, blks_read, blks_hit, tup_inserted, tup_updated, tup_deleted, deadlocks, temp_bytes
FROM pg_stat_database WHERE datname = current_database()
"""
_WAL = """
SELECT pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0')
"""
_AGE = "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()"
_DATABASE = "SELECT pg_database_size(current_database())"
_SCHEMAS = """
SELECT n.nspname, sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' GROUP BY 1
"""
#: Those that grow with time rather than with what is dropped.
_TABLES = """
SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'dagster' AND c.relname IN ('event_logs', 'runs', 'run_tags', 'job_ticks', 'asset_check_executions')
"""
_STATES = ("active", "idle", "idle in transaction")


def activity(connection: Connection) -> Iterator[Metric]:
    states = dict.fromkeys(_STATES, 0) | dict(connection.execute(_CONNECTIONS).fetchall())
    yield gauge("database_connections", "Connections to this database, by state.", ["state"], states.items())
    ((used, most),) = connection.execute(_ALL_CONNECTIONS).fetchall()
    yield gauge("database_connections_used", "Connections to the server, of any database.", [], [(used,)])
    yield gauge("database_connections_most", "Connections that the server admits.", [], [(most,)])
    ((blocked, oldest),) = connection.execute(_WAITS).fetchall()
    yield gauge("database_waiting_for_locks", "Sessions that wait for a lock.", [], [(blocked,)])
    yield gauge("database_oldest_transaction_seconds", "Age of the oldest open transaction.", [], [(oldest,)])
    yield from _work(connection)


def sizes(connection: Connection) -> Iterator[Metric]:
    yield gauge("database_bytes", "Size of the database.", [], connection.execute(_DATABASE).fetchall())
    yield gauge(
        "schema_bytes", "Size of each schema's tables and indexes.", ["schema"], connection.execute(_SCHEMAS).fetchall()
    )
    tables = connection.execute(_TABLES).fetchall()
    size, rows = [(name, size) for name, size, _ in tables], [(name, rows) for name, _, rows in tables]
    yield gauge("dagster_table_bytes", "Size of Dagster's tables that grow.", ["table"], size)
    yield gauge("dagster_table_rows", "Their rows, as Postgres estimates.", ["table"], rows)
    age = connection.execute(_AGE).fetchall()
    yield gauge(
        "database_transaction_age", "Transactions since the oldest not frozen; Postgres stops at 2 billion.", [], age
    )


def _work(connection: Connection) -> Iterator[Metric]:
    ((commits, rollbacks, read, hit, inserted, updated, deleted, deadlocks, temporary),) = connection.execute(
        _WORK
    ).fetchall()
    yield counter(
        "database_transactions", "Transactions, by how they ended.", ["state"],
        [("commit", commits), ("rollback", rollbacks)],
    )  # fmt: skip
    yield counter(
        "database_blocks", "Blocks needed, by where they were found.", ["source"], [("disk", read), ("memory", hit)]
    )
    yield counter(
        "database_rows", "Rows written.", ["work"],
        [("insert", inserted), ("update", updated), ("delete", deleted)],
    )  # fmt: skip
    yield counter("database_deadlocks", "Deadlocks.", [], [(deadlocks,)])
    yield counter("database_temporary_bytes", "Bytes of temporary files.", [], [(temporary,)])
    yield counter("database_wal_bytes", "Bytes of the write-ahead log.", [], connection.execute(_WAL).fetchall())
