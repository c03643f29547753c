"""Connections to Dagster's storage that are kept, for processes that use it every few seconds or more often."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

#: Connections are made anew after so many seconds.
_RECYCLE_SECONDS = 3600
#: Threads that query at the same moment open one more each, and close it again.
_MOST_MORE = 20


def keep_connections(instance: "DagsterInstance") -> None:
    """Keep one connection per storage open. One that is dead when it is needed, as after a restart of the database, is
    replaced."""
    from lastmile.orchestration.dagster_compat.storage import check_connections

    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=_RECYCLE_SECONDS, max_overflow=_MOST_MORE)
    check_connections(instance)
