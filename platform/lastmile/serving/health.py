"""Whether what the platform stands on answers, tried with the smallest request there is, within seconds."""

from collections.abc import Callable

import anyio.to_thread
import obstore
from psycopg import Error
from psycopg_pool import ConnectionPool, PoolTimeout

from lastmile.errors import UserError
from lastmile.ledger import query as ledger
from lastmile.serving.errors import Unavailable
from lastmile.store import Store
from lastmile.store.stored_object import translated_errors

#: Probes of orchestrators give up about then.
SECONDS = 3.0


async def ready(pool: ConnectionPool, store: Store) -> dict[str, str]:
    """Raises Unavailable with what does not answer, and why."""
    await _answers("the database", lambda: _database(pool))
    await _answers("the store", lambda: _store(store))
    return {"database": "ready", "store": "ready"}


async def _answers(what: str, probe: Callable[[], object]) -> None:
    with anyio.move_on_after(SECONDS) as limit:
        await anyio.to_thread.run_sync(probe, abandon_on_cancel=True)
    if limit.cancelled_caught:
        raise Unavailable(
            f"{what} did not answer within {SECONDS:.0f} s; `lastmile doctor` looks at what is configured"
        )


def _database(pool: ConnectionPool) -> None:
    try:
        with pool.connection(timeout=SECONDS) as connection:
            ledger.answers(connection)
    except (Error, PoolTimeout) as error:
        raise Unavailable(f"the database is not ready: {error}") from None


def _store(store: Store) -> None:
    try:
        with translated_errors(store.url, "list objects"):
            next(iter(obstore.list(store.backend, "ready", chunk_size=1)), None)
    except UserError as error:
        raise Unavailable(f"the store is not ready: {error}") from None
