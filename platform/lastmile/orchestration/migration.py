"""Dagster's own tables: made where there are none, and changed to what the installed Dagster expects."""

from collections.abc import Callable

from lastmile.orchestration.pools import limit_pools


def migrate_dagster(say: Callable[[str], None]) -> None:
    """Work on the instance of DAGSTER_HOME; what is done already is left alone. `say` gets a line for each step."""
    from dagster import DagsterInstance

    with DagsterInstance.get() as instance:
        instance.upgrade(say)
        limit_pools(instance)
