"""Dagster is made to know of a champion that was changed by hand: what is made by it becomes stale, and is remade."""

from lastmile.learning.registry.deployments import deployment
from lastmile.orchestration.learning.champions import report
from lastmile.serving.engine.connected import connected
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect, database_url


def announce(model: str) -> None:
    """Raises Unreachable where Dagster's storage does not answer."""
    with connected() as (instance, _), connect(database_url(Settings.from_environment())) as connection:
        if found := deployment(connection, model):
            report(instance, connection, found)
