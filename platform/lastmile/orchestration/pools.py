"""Which runs may be at work at once: those that share a pool of Dagster's take turns, as each pool has one slot.

Two builds of a table for the first time would both create it, and features made from a mart of before could replace
newer ones. Training changes neither, and takes minutes where there is much to learn from, so no drop waits for it.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

#: Of whatever is made from the rows that ingestion loaded, models apart.
WAREHOUSE = "warehouse"
TRAINING = "training"


def limit_pools(instance: "DagsterInstance") -> None:
    """Give each pool the limit of the instance, before the first run is queued.

    Dagster does so when a run of the pool waits, after it has read the limits for that turn of the queue: the first
    runs of a new installation were then started together, and both created the same tables.
    """
    from sqlalchemy.exc import IntegrityError

    storage = instance.event_log_storage
    for pool in {WAREHOUSE, TRAINING} - {one.name for one in storage.get_pool_limits()}:
        with suppress(IntegrityError):  # another process did so meanwhile
            storage.initialize_concurrency_limit_to_default(pool)
