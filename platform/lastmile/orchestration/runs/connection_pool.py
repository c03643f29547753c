"""Connections to Dagster's storage that are kept, for processes that query it every few seconds."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

#: Connections are made anew after so many seconds.
_RECYCLE_SECONDS = 3600
#: Threads that query at the same moment open one more each, and close it again.
_MOST_MORE = 20


def keep_connections(instance: "DagsterInstance") -> None:
    """Keep one connection per storage open. After the database was restarted the first query on each fails once."""
    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=_RECYCLE_SECONDS, max_overflow=_MOST_MORE)
